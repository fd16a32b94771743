import { type ArrowBatch, arrow } from '../columns/arrow.ts';
import { BytesBuilder, Int64Builder } from '../columns/builders.ts';
import { BytesReader, columnData, Int64Reader } from '../columns/column-readers.ts';
import type { Duck } from './duck.ts';
import type { IcebergField, TableFile } from './iceberg-types.ts';
import { nameOf } from './manifests.ts';
import { readFiles } from './parquet-reader.ts';
import type { TableFiles } from './table-files.ts';

/** Per data file, the positions of its deleted rows. */
export type DeletedRows = ReadonlyMap<string, ReadonlySet<number>>;

/** The columns of a file of position deletes, as Iceberg reserves them. */
export const DELETE_FIELDS: readonly IcebergField[] = [
  { id: 2147483546, name: 'file_path', required: true, type: 'string' },
  { id: 2147483545, name: 'pos', required: true, type: 'long' },
];

const MAX_CACHED = 256;

/** Reads files of position deletes; each is read once. */
export class PositionDeletes {
  readonly #duck: Duck;
  readonly #files: TableFiles;
  readonly #cache = new Map<string, Promise<DeletedRows>>();

  constructor(duck: Duck, files: TableFiles) {
    this.#duck = duck;
    this.#files = files;
  }

  async of(folder: string, deletes: readonly TableFile[]): Promise<Map<string, Set<number>>> {
    const all = new Map<string, Set<number>>();
    for (const part of await Promise.all(deletes.map(file => this.#load(folder, file)))) {
      for (const [name, positions] of part) {
        const known = all.get(name);
        if (known === undefined) all.set(name, new Set(positions));
        else for (const position of positions) known.add(position);
      }
    }
    return all;
  }

  #load(folder: string, file: TableFile): Promise<DeletedRows> {
    const name = `${folder}/data/${file.name}`;
    const known = this.#cache.get(name);
    if (known !== undefined) return known;
    const loaded = this.#read(name, file);
    this.#cache.set(name, loaded);
    loaded.catch(() => this.#cache.delete(name));
    if (this.#cache.size > MAX_CACHED) this.#cache.delete(this.#cache.keys().next().value!);
    return loaded;
  }

  async #read(name: string, file: TableFile): Promise<DeletedRows> {
    const rows = new Map<string, Set<number>>();
    const files = [{ file, path: this.#files.enginePath(name), deleted: null }];
    for await (const { batch } of readFiles(this.#duck, {
      files,
      tableFields: DELETE_FIELDS,
      fields: DELETE_FIELDS,
      where: null,
      hold: () => this.#files.hold([name]),
    })) {
      const paths = new BytesReader(columnData(batch, 'file_path'));
      const positions = new Int64Reader(columnData(batch, 'pos'));
      for (let at = 0; at < batch.numRows; at++) {
        const target = nameOf(paths.text(at)!);
        const known = rows.get(target);
        if (known === undefined) rows.set(target, new Set([positions.number(at)]));
        else known.add(positions.number(at));
      }
    }
    return rows;
  }
}

/** The rows of a file of position deletes, in the order that Iceberg asks for: by path, then by position. */
export function deletesBatch(deleted: readonly (readonly [uri: string, positions: ReadonlySet<number>])[]): ArrowBatch {
  const count = deleted.reduce((sum, [, positions]) => sum + positions.size, 0);
  const paths = new BytesBuilder(count, 64);
  const numbers = new Int64Builder(count);
  let row = 0;
  for (const [uri, positions] of [...deleted].sort(([one], [other]) => (one < other ? -1 : 1))) {
    for (const position of [...positions].sort((a, b) => a - b)) {
      paths.setText(row, uri);
      numbers.set(row++, position);
    }
  }
  const types = [new arrow.Utf8(), new arrow.Int64()];
  const fields = DELETE_FIELDS.map((field, at) => new arrow.Field(field.name, types[at], false));
  const children = [paths.finish(types[0]), numbers.finish(types[1])];
  const struct = arrow.makeData({ type: new arrow.Struct(fields), length: count, nullCount: 0, children });
  return new arrow.RecordBatch(new arrow.Schema(fields), struct);
}
