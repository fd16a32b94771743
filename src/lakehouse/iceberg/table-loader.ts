import { TailwaterError } from '../../base/index.ts';
import type { DatasetKind } from '../columns/arrow-schema.ts';
import type { ManifestFile, TableFile, TableMetadata } from './iceberg-types.ts';
import { decodeManifest, decodeManifestList, nameOf } from './manifests.ts';
import { currentSnapshot, decodeMetadata } from './metadata.ts';
import { isAsWritten } from './parquet-writer.ts';
import type { TableFiles } from './table-files.ts';

/** One version of one dataset, as its files say. Never changed. */
export interface IcebergTable {
  folder: string;
  version: number;
  metadata: TableMetadata;
  manifests: readonly ManifestFile[];
  data: readonly TableFile[];
  deletes: readonly TableFile[];
}

/** Manifests are immutable, and versions share most of them. */
const MAX_CACHED_MANIFESTS = 512;

/** `{incarnation}/rows` */
export function tableFolder(incarnation: string, kind: DatasetKind): string {
  return `${incarnation}/${kind}`;
}

export function metadataName(version: number): string {
  return `v${version}.metadata.json`;
}

/** The version that a metadata file is of; undefined for other files. */
export function versionOfName(name: string): number | undefined {
  const digits = /^v(\d+)\.metadata\.json$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export class TableLoader {
  readonly #files: TableFiles;
  readonly #manifests = new Map<string, Promise<TableFile[]>>();

  constructor(files: TableFiles) {
    this.#files = files;
  }

  /** Throws TW_HISTORY_EXPIRED when the version is gone, TW_DATA_DAMAGED with the name of a file that is not as it was written. */
  async load(folder: string, version: number): Promise<IcebergTable> {
    const metadata = await this.metadata(folder, version);
    const snapshot = currentSnapshot(metadata);
    if (snapshot === null) return { folder, version, metadata, manifests: [], data: [], deletes: [] };
    const list = `${folder}/metadata/${nameOf(snapshot['manifest-list'])}`;
    const manifests = await this.#decoded(list, decodeManifestList);
    const entries = await Promise.all(manifests.map(manifest => this.#manifest(folder, manifest, metadata)));
    const files = (content: 0 | 1): TableFile[] => entries.flatMap((each, at) => (manifests[at].content === content ? each : []));
    return { folder, version, metadata, manifests, data: files(0), deletes: files(1) };
  }

  async metadata(folder: string, version: number): Promise<TableMetadata> {
    const name = `${folder}/metadata/${metadataName(version)}`;
    const bytes = await this.#files.read(name);
    if (bytes === null) {
      throw new TailwaterError('TW_HISTORY_EXPIRED', { detail: `Version ${version} of ${folder} is no longer kept.` });
    }
    return named(name, () => decodeMetadata(bytes, name));
  }

  #manifest(folder: string, { name, specId }: ManifestFile, metadata: TableMetadata): Promise<TableFile[]> {
    const path = `${folder}/metadata/${name}`;
    const known = this.#manifests.get(path);
    if (known !== undefined) return known;
    const spec = metadata['partition-specs'].find(each => each['spec-id'] === specId)!;
    const loaded = this.#decoded(path, bytes => decodeManifest(bytes, spec));
    this.#manifests.set(path, loaded);
    loaded.catch(() => this.#manifests.delete(path));
    if (this.#manifests.size > MAX_CACHED_MANIFESTS) this.#manifests.delete(this.#manifests.keys().next().value!);
    return loaded;
  }

  async #decoded<T>(name: string, decode: (bytes: Uint8Array) => T): Promise<T> {
    const bytes = await this.#files.read(name);
    if (bytes === null) throw damaged(name, 'It is missing.');
    if (!isAsWritten(name, bytes)) throw damaged(name, 'Its content is not that of its name.');
    return named(name, () => decode(bytes));
  }
}

function named<T>(name: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof TailwaterError && error.code !== 'TW_DATA_DAMAGED') throw error;
    throw damaged(name, error instanceof Error ? error.message : String(error));
  }
}

export function damaged(name: string, problem: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail: `${name}: ${problem}`, data: { file: name } });
}
