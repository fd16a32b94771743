import { byteString, type Random, TailwaterError } from '../../base/index.ts';
import { ValueEncoder } from '../columns/value-encoder.ts';
import { valueTree } from '../columns/value-tree.ts';
import type { Dataset, IndexKind, PositionBatch } from '../datasets/dataset.ts';
import type { ChangedRow, TableRows } from '../table-store.ts';
import type { TableColumn, TableRow, TableSchema } from '../table-types.ts';

export interface StoredRow {
  row: TableRow;
  text: string | null;
  vector: Float32Array | null;
  raw: boolean;
  supersededAtMs: number | null;
}

/** What one version shows. Never changed once it is a version. */
export interface Content {
  rows: readonly StoredRow[];
  columns: ReadonlyMap<string, TableColumn['type']>;
  /** Per index, how many rows it covers. */
  indexes: ReadonlyMap<IndexKind, number>;
}

/** A dataset with its versions, shared by all handles, as a folder of LanceDB is. */
export interface VersionedDataset {
  latest: number;
  versions: Map<number, Content>;
  /** Tags make LanceDB's pruning fail when it meets them. */
  tags: Map<string, number>;
}

const MAX_OPTIMIZE_VERSIONS = 3;
const POSITION_BATCH = 1_000;

/**
 * A handle with LanceDB's traps: a change lands on the newest version, whatever this handle shows; `restore` re-attaches the handle to
 * the newest version; `optimize` makes none to three versions and reorders rows; a handle on an old version cannot write.
 */
export class MemoryDataset implements Dataset {
  readonly #shared: VersionedDataset;
  readonly #random: Random;
  #version: number;
  #detached = false;

  constructor(shared: VersionedDataset, random: Random) {
    this.#shared = shared;
    this.#random = random;
    this.#version = shared.latest;
  }

  async version(): Promise<number> {
    return this.#version;
  }

  async checkoutLatest(): Promise<void> {
    this.#version = this.#shared.latest;
    this.#detached = false;
  }

  async checkout(version: number): Promise<void> {
    contentOf(this.#shared, version);
    this.#version = version;
    this.#detached = true;
  }

  async restore(): Promise<void> {
    const content = contentOf(this.#shared, this.#version);
    this.#detached = false;
    this.#commit(() => content);
  }

  async appendRows(schema: TableSchema, rows: TableRows, start: number, end: number): Promise<void> {
    const raws = rawMarks(schema, rows.rows.slice(start, end));
    const dimensions = schema.dimensions ?? 0;
    const stored = rows.rows.slice(start, end).map((row, index): StoredRow => {
      const at = start + index;
      const has = rows.hasVector !== undefined && rows.hasVector[at] !== 0 && rows.vectors !== undefined;
      const vector = has ? rows.vectors!.slice(at * dimensions, (at + 1) * dimensions) : null;
      return { row: copyOf(row), text: rows.texts?.[at] ?? null, vector, raw: raws[index], supersededAtMs: null };
    });
    this.#append(schema, stored);
  }

  async appendChanges(schema: TableSchema, changes: readonly ChangedRow[], start: number, end: number): Promise<void> {
    const part = changes.slice(start, end);
    const raws = rawMarks(
      schema,
      part.map(change => change.row),
    );
    const stored = part.map(({ row, supersededAtMs }, index): StoredRow => {
      return { row: copyOf(row), text: null, vector: null, raw: raws[index], supersededAtMs };
    });
    this.#append(schema, stored);
  }

  async addColumns(columns: readonly TableColumn[]): Promise<void> {
    this.#commit(content => {
      const taken = columns.filter(column => content.columns.has(column.name));
      if (taken.length > 0) throw refused(`columns ${taken.map(column => column.name).join(', ')} exist`);
      return {
        ...content,
        columns: new Map([...content.columns, ...columns.map(column => [column.name, column.type] as const)]),
      };
    });
  }

  /** As many versions as LanceDB needs. */
  widening(column: TableColumn): (() => Promise<void>)[] {
    const same = async (): Promise<void> => this.#commit(content => content);
    const widen = async (): Promise<void> =>
      this.#commit(content => ({ ...content, columns: new Map(content.columns).set(column.name, 'float64') }));
    return [same, same, widen];
  }

  async deleteSeqs(seqs: readonly number[]): Promise<void> {
    const gone = new Set(seqs);
    this.#commit(content => ({ ...content, rows: content.rows.filter(({ row }) => !gone.has(row.seq)) }));
  }

  async byKeys(_schema: TableSchema, keys: readonly Uint8Array[]): Promise<TableRow[]> {
    return rowsOfKeys(this.content(), keys);
  }

  async bySeqs(_schema: TableSchema, seqs: readonly number[]): Promise<{ row: TableRow; text: string | null }[]> {
    const wanted = new Set(seqs);
    return this.content()
      .rows.filter(({ row }) => wanted.has(row.seq))
      .map(({ row, text }) => ({ row, text }));
  }

  async createIndex(index: IndexKind): Promise<void> {
    this.#commit(content => ({ ...content, indexes: new Map(content.indexes).set(index, content.rows.length) }));
  }

  async indexes(): Promise<Set<IndexKind>> {
    return new Set(this.content().indexes.keys());
  }

  async optimize(): Promise<void> {
    const versions = Math.floor(this.#random.float() * (MAX_OPTIMIZE_VERSIONS + 1));
    for (let made = 0; made < versions; made++) {
      this.#commit(content => ({
        ...content,
        rows: [...content.rows].reverse(),
        indexes: new Map([...content.indexes.keys()].map(kind => [kind, content.rows.length])),
      }));
      await Promise.resolve();
    }
  }

  async countRows(): Promise<number> {
    return this.content().rows.length;
  }

  async countRaw(): Promise<number> {
    return this.content().rows.filter(stored => stored.raw).length;
  }

  async *positions(above: readonly number[] | null): AsyncGenerator<PositionBatch> {
    const rows = this.content().rows.filter(({ row }) => above === null || row.offset > (above[row.partition] ?? -1));
    for (let start = 0; start < rows.length; start += POSITION_BATCH) {
      yield {
        count: Math.min(POSITION_BATCH, rows.length - start),
        partition: at => rows[start + at].row.partition,
        offset: at => rows[start + at].row.offset,
      };
    }
  }

  async columnNames(): Promise<string[]> {
    return [...this.content().columns.keys()];
  }

  content(): Content {
    return contentOf(this.#shared, this.#version);
  }

  #append(schema: TableSchema, stored: readonly StoredRow[]): void {
    this.#commit(content => {
      const missing = schema.columns.filter(column => content.columns.get(column.name) !== column.type);
      if (missing.length > 0) throw refused(`columns ${missing.map(column => column.name).join(', ')} are not of the dataset`);
      return { ...content, rows: [...content.rows, ...stored] };
    });
  }

  /** Rebases: the change applies to the newest version, not to the one that the handle shows. */
  #commit(change: (content: Content) => Content): void {
    if (this.#detached) throw refused('an old version cannot be changed');
    const next = change(contentOf(this.#shared, this.#shared.latest));
    this.#shared.latest++;
    this.#shared.versions.set(this.#shared.latest, next);
    this.#version = this.#shared.latest;
  }
}

export function contentOf(shared: VersionedDataset, version: number): Content {
  const content = shared.versions.get(version);
  if (content === undefined) {
    throw new TailwaterError('TW_HISTORY_EXPIRED', { detail: `Version ${version} of the table is no longer kept.` });
  }
  return content;
}

export function emptyContent(schema: TableSchema): Content {
  return { rows: [], columns: new Map(schema.columns.map(column => [column.name, column.type])), indexes: new Map() };
}

export function rowsOfKeys(content: Content, keys: readonly Uint8Array[]): TableRow[] {
  const wanted = new Set(keys.map(byteString));
  return content.rows.filter(({ row }) => row.key !== null && wanted.has(byteString(row.key))).map(({ row }) => row);
}

function rawMarks(schema: TableSchema, rows: readonly TableRow[]): boolean[] {
  const encoder = new ValueEncoder(valueTree(schema), schema.columns, rows.length);
  return rows.map((row, index) => row.value !== null && !encoder.encode(index, row.value).exact);
}

/** Rows are views into batches that others may reuse. */
function copyOf(row: TableRow): TableRow {
  const { partition, offset, seq, timeMs, ingestedAtMs } = row;
  const headers = row.headers.map(({ name, value }) => ({ name, value: bytesOf(value) }));
  return { partition, offset, seq, key: bytesOf(row.key), timeMs, ingestedAtMs, headers, value: bytesOf(row.value) };
}

function bytesOf(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : new Uint8Array(bytes);
}

function refused(reason: string): TailwaterError {
  return new TailwaterError('TW_INTERNAL', { detail: `The dataset refused a change: ${reason}.` });
}
