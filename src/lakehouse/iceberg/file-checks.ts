import { isTailwaterError, TailwaterError } from '../../base/index.ts';
import type { TableFile } from './iceberg-types.ts';
import { isAsWritten } from './parquet-writer.ts';
import type { TableFiles } from './table-files.ts';
import { damaged, type IcebergTable, metadataName } from './table-loader.ts';

/** Compares files with the checksums in their names, each once. */
export class FileChecks {
  readonly #files: TableFiles;
  readonly #checked = new Set<string>();

  constructor(files: TableFiles) {
    this.#files = files;
  }

  /** Does nothing when the files that were not checked before have more than `maxBytes` together. Throws TW_DATA_DAMAGED. */
  async checkOnce(table: IcebergTable, maxBytes: number): Promise<void> {
    const nameOf = (file: TableFile): string => `${table.folder}/data/${file.name}`;
    const unchecked = [...table.data, ...table.deletes].filter(file => !this.#checked.has(nameOf(file)));
    if (unchecked.reduce((sum, file) => sum + file.bytes, 0) > maxBytes) return;
    for (const file of unchecked) {
      const problem = await problemOf(this.#files, nameOf(file));
      if (problem === null) this.#checked.add(nameOf(file));
      else throw await explainFault(this.#files, table.folder, table.version, [], damaged(nameOf(file), problem));
    }
  }
}

/** What is wrong when files of a version could not be read: the version is gone meanwhile, or one of them is not as it was written. */
export async function explainFault(
  files: TableFiles,
  folder: string,
  version: number | null,
  read: readonly TableFile[],
  error: unknown,
): Promise<unknown> {
  if (isTailwaterError(error) && error.code !== 'TW_DATA_DAMAGED') return error;
  if (version !== null && (await files.size(`${folder}/metadata/${metadataName(version)}`)) === null) {
    return new TailwaterError('TW_HISTORY_EXPIRED', {
      detail: `Version ${version} of ${folder} is no longer kept.`,
      cause: error,
    });
  }
  for (const { name } of read) {
    const problem = await problemOf(files, `${folder}/data/${name}`);
    if (problem !== null) return damaged(`${folder}/data/${name}`, problem);
  }
  return error;
}

async function problemOf(files: TableFiles, name: string): Promise<string | null> {
  const bytes = await files.read(name);
  if (bytes === null) return 'It is missing.';
  return isAsWritten(name, bytes) ? null : 'Its content is not that of its name.';
}
