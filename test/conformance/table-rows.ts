import { expect } from 'vitest';
import { fromUtf8, utf8 } from '../../src/base/index.ts';
import type {
  TableRow,
  TableRows,
  TableSchema,
  TableStaging,
  TableStore,
  TableVersion,
  TableVersions,
} from '../../src/lakehouse/index.ts';
import type { StreamDefinition, TableFormat } from '../../src/streams/index.ts';
import { definitionOf } from '../lakehouse/compact-world.ts';

export const DIMENSIONS = 3;

export const UPSERT = definitionOf({ kind: 'upsert', key: ['id'], search: { fields: ['text'] } });
export const APPEND = definitionOf({ kind: 'append', search: { fields: ['text'] } });

/** `id` and `text` of every value that `rowOf` makes, and a number. */
export const SCHEMA: TableSchema = {
  id: 1,
  columns: [
    { name: 'id', path: 'id', type: 'string' },
    { name: 'text', path: 'text', type: 'string' },
    { name: 'price', path: 'price', type: 'int64' },
  ],
  dimensions: DIMENSIONS,
  text: true,
};

/** What table stores may differ in. */
export interface TableTraits {
  /** Whether rows are searched by text and vector. */
  search: boolean;
  /** Whether what others stage on the same dataset can never be in the way, so that nothing has to be noticed. */
  isolated: boolean;
  format: TableFormat;
}

export const LANCE_TRAITS: TableTraits = { search: true, isolated: false, format: 'lance' };

/** Definitions and schema for a store with these traits. */
export function fixturesOf({ search, format }: TableTraits): {
  UPSERT: StreamDefinition;
  APPEND: StreamDefinition;
  SCHEMA: TableSchema;
} {
  const table: StreamDefinition['table'] = format === 'lance' ? { format } : { format, partitionBy: [], sortBy: [] };
  const adapted = (definition: StreamDefinition): StreamDefinition => ({
    ...definition,
    table,
    search: search ? definition.search : null,
  });
  return {
    UPSERT: adapted(UPSERT),
    APPEND: adapted(APPEND),
    SCHEMA: search ? SCHEMA : { ...SCHEMA, dimensions: null, text: false },
  };
}

const START_MS = 1_767_225_600_000;

/** The row of one seq: alternating partitions, dense offsets; seqs start at 1. */
export function rowOf(
  seq: number,
  changes: Partial<Omit<TableRow, 'key' | 'value'>> & { key?: string; value?: string | null } = {},
): TableRow {
  const { key = `k${seq}`, value = JSON.stringify({ id: key, text: `note ${seq}`, price: seq }), ...rest } = changes;
  return {
    partition: (seq - 1) % 2,
    offset: Math.floor((seq - 1) / 2),
    seq,
    timeMs: START_MS + seq,
    ingestedAtMs: START_MS + 1_000 + seq,
    headers: [],
    ...rest,
    key: utf8(key),
    value: value === null ? null : utf8(value),
  };
}

export function rowsOf(first: number, last: number): TableRow[] {
  return Array.from({ length: last - first + 1 }, (_, index) => rowOf(first + index));
}

/** With `_text` from the value and, per row, a vector or null. Without `vectors` no row has one. */
export function written(rows: TableRow[], vectors: readonly (readonly number[] | null)[] = []): TableRows {
  const block = new Float32Array(rows.length * DIMENSIONS);
  const hasVector = new Uint8Array(rows.length);
  for (const [index, vector] of vectors.entries()) {
    if (vector === null) continue;
    block.set(vector, index * DIMENSIONS);
    hasVector[index] = 1;
  }
  return { rows, texts: rows.map(textOf), vectors: block, hasVector };
}

function textOf(row: TableRow): string | null {
  if (row.value === null) return null;
  try {
    const { text } = JSON.parse(fromUtf8(row.value));
    return typeof text === 'string' ? text : null;
  } catch {
    return null;
  }
}

/** Every byte of a row, in a form that compares and prints well. */
export function plain(row: TableRow): object {
  const bytes = (part: Uint8Array | null): string | null => (part === null ? null : Buffer.from(part).toString('latin1'));
  const { partition, offset, seq, timeMs, ingestedAtMs } = row;
  const headers = row.headers.map(({ name, value }) => [name, bytes(value)]);
  return { partition, offset, seq, timeMs, ingestedAtMs, key: bytes(row.key), value: bytes(row.value), headers };
}

export function sorted(rows: Iterable<TableRow>): object[] {
  return [...rows].sort((a, b) => a.seq - b.seq).map(plain);
}

export async function scanned(
  version: TableVersion,
  options: { where?: string | null; batchRows?: number } = {},
): Promise<TableRow[]> {
  const rows: TableRow[] = [];
  for await (const batch of version.scan(options)) rows.push(...batch);
  return rows;
}

export async function seqsWhere(version: TableVersion, where: string): Promise<number[]> {
  return seqsOf(await scanned(version, { where }));
}

export function seqsOf(rows: readonly TableRow[]): number[] {
  return rows.map(row => row.seq).sort((a, b) => a - b);
}

/** A table of one stream, and the newest versions that a test takes for committed. */
export class Table {
  readonly store: TableStore;
  readonly definition: StreamDefinition;
  versions: TableVersions | null = null;
  schema: TableSchema;

  constructor(store: TableStore, definition: StreamDefinition, schema: TableSchema) {
    this.store = store;
    this.definition = definition;
    this.schema = schema;
  }

  begin(): Promise<TableStaging> {
    return this.store.begin(this.definition, this.versions, this.schema);
  }

  /** Stages and takes the outcome as the new base. */
  async commit(stage: (staging: TableStaging) => Promise<unknown>, schema: TableSchema = this.schema): Promise<TableVersion> {
    const staging = await this.begin();
    await stage(staging);
    this.versions = (await staging.verify([])).versions;
    this.schema = schema;
    return this.open();
  }

  open(versions: TableVersions = this.versions!, schema = this.schema): Promise<TableVersion> {
    return this.store.open(this.definition, versions, schema);
  }
}

export async function expectRows(version: TableVersion, rows: Iterable<TableRow>): Promise<void> {
  expect(sorted(await scanned(version))).toEqual(sorted(rows));
}
