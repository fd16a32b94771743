import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import avro from 'avsc';
import type { Id, JsonMap } from '../../src/lakehouse/iceberg/exact-json.ts';
import type { IcebergCatalog } from '../../src/lakehouse/iceberg-catalog/iceberg-catalog.ts';
import type { TableName } from '../../src/lakehouse/iceberg-catalog/names.ts';
import type { LoadedTable } from '../../src/lakehouse/iceberg-catalog/own-tables.ts';

/** A live entry of a manifest, as it stands there. */
interface Entry {
  status: number;
  data_file: { content: number; file_path: string; record_count: number; file_size_in_bytes: number; partition: object };
}

/** What a rewrite does differently from a sound one. */
export interface Rewrite {
  /** Of the data files, those that stay; default: none. */
  keeps?(path: string, at: number, partition: object): boolean;
  /** SQL over the live rows of those that go, `live`; default: all of them, newest first. */
  select?: string;
  /** Options of DuckDB's COPY; default: another compression than Tailwater's. */
  copy?: string;
  /** Whether the file has the ids of the table's columns. Default true. */
  ids?: boolean;
  /** Whether files of deletes stay in the snapshot. Default: they go. */
  keepsDeletes?: boolean;
  /** Of the avro files. Default `deflate`. */
  codec?: 'deflate' | 'null';
  /** Changes the entries of the new manifest. */
  entries?(entries: object[]): object[];
  snapshot?: JsonMap;
  summary?: JsonMap;
  /** Takes the place of the requirements of a sound commit. */
  requirements?: JsonMap[];
  /** After the updates of a sound commit. */
  updates?: JsonMap[];
}

/** How an engine comes to the files of tables: what their addresses begin with, and what stands for it on this machine. */
export interface EnginePlace {
  address: string;
  root: string;
  /** Makes files readable at their local paths. */
  fetch(paths: readonly string[]): Promise<void>;
  /** Puts a file that was written at its local path where its address says. */
  publish(path: string): Promise<void>;
}

const LOCAL: EnginePlace = { address: 'file://', root: '', fetch: async () => {}, publish: async () => {} };

export const FOREIGN_ID = 8_123_456_789_012_345_678n;

/**
 * An engine that rewrites the files of a table, by DuckDB and avsc's own container files alone: its schemas have other names, orders and
 * members than Tailwater's, sequence numbers and snapshot ids are left to be inherited, as Iceberg's Java library leaves them.
 */
export class ForeignEngine {
  readonly #catalog: IcebergCatalog;
  readonly #table: TableName;
  readonly #duck: DuckDBConnection;
  readonly #place: EnginePlace;
  #files = 0;

  private constructor(catalog: IcebergCatalog, table: TableName, duck: DuckDBConnection, place: EnginePlace) {
    this.#catalog = catalog;
    this.#table = table;
    this.#duck = duck;
    this.#place = place;
  }

  static async open(catalog: IcebergCatalog, table: TableName, place: EnginePlace = LOCAL): Promise<ForeignEngine> {
    return new ForeignEngine(catalog, table, await (await DuckDBInstance.create(':memory:')).connect(), place);
  }

  pathOf(address: unknown): string {
    return this.#place.root + String(address).slice(this.#place.address.length);
  }

  async rewrite(change: Rewrite = {}): Promise<LoadedTable> {
    const prepared = await this.prepare(change);
    return this.commit(prepared);
  }

  async commit(prepared: { requirements: JsonMap[]; updates: JsonMap[] }): Promise<LoadedTable> {
    const [loaded] = await this.#catalog.commit([{ table: this.#table, commit: prepared }]);
    return loaded;
  }

  /** Writes the files, and returns the commit of them. */
  async prepare(change: Rewrite = {}): Promise<{ requirements: JsonMap[]; updates: JsonMap[]; file: string }> {
    const { metadata } = await this.#catalog.load(this.#table);
    const id = metadata['current-snapshot-id'];
    const current = metadata.snapshots.find(each => each['snapshot-id'] === id)!;
    const live = await this.liveFiles();
    const keeps = change.keeps ?? (() => false);
    const data = live.filter(({ data_file }) => data_file.content === 0);
    const deletes = live.filter(({ data_file }) => data_file.content === 1);
    const gone = data.filter(({ data_file }, at) => !keeps(data_file.file_path, at, data_file.partition));
    const kept = data.filter(entry => !gone.includes(entry));
    const fields = metadata.schemas.find(each => each['schema-id'] === metadata['current-schema-id'])!.fields;
    const file = `${metadata.location}/data/${this.#name()}.parquet`;
    const rows = await this.#copy(gone, deletes, fields, this.pathOf(file), change);
    const added = {
      content: 0,
      file_path: file,
      file_format: 'PARQUET',
      partition: {},
      record_count: rows,
      file_size_in_bytes: 1,
    };
    const entries: object[] = [
      ...kept.map(entry => ({ ...plainEntry(entry), status: 0, sequence_number: 1, snapshot_id: 1 })),
      ...gone.map(entry => ({ ...plainEntry(entry), status: 2, sequence_number: 1, snapshot_id: 1 })),
      { status: 1, snapshot_id: null, sequence_number: null, data_file: added },
    ];
    const manifests = [await this.#manifest(metadata.location, change.entries?.(entries) ?? entries, change.codec)];
    if (change.keepsDeletes && deletes.length > 0) {
      const old = deletes.map(entry => ({ ...plainEntry(entry), status: 0, sequence_number: 1, snapshot_id: 1 }));
      manifests.push(await this.#manifest(metadata.location, old, change.codec));
    }
    const list = `${metadata.location}/metadata/snap-${this.#name()}.avro`;
    await this.#writeAvro(list, LIST, manifests.map(listEntry), change.codec);
    const snapshot: JsonMap = {
      'snapshot-id': FOREIGN_ID + BigInt(this.#files),
      ...(id === -1 ? {} : { 'parent-snapshot-id': id }),
      'sequence-number': Number(metadata['last-sequence-number']) + 1,
      'timestamp-ms': current['timestamp-ms'] + 1,
      'manifest-list': list,
      'schema-id': metadata['current-schema-id'],
      summary: { operation: 'replace', 'engine-name': 'foreign', ...change.summary },
      ...change.snapshot,
    };
    const ref = { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshot['snapshot-id'] };
    const requirements = change.requirements ?? [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': id },
    ];
    return { requirements, updates: [{ action: 'add-snapshot', snapshot }, ref, ...(change.updates ?? [])], file };
  }

  /** Those of the table as it is. */
  async liveFiles(): Promise<Entry[]> {
    const { metadata } = await this.#catalog.load(this.#table);
    const current = metadata.snapshots.find(each => each['snapshot-id'] === metadata['current-snapshot-id'])!;
    const list = await this.#readAvro<{ manifest_path: string }>(current['manifest-list']);
    const entries = await Promise.all(list.map(({ manifest_path: path }) => this.#readAvro<Entry>(path)));
    return entries.flat().filter(({ status }) => status !== 2);
  }

  /** The rows of a table as another DuckDB reads them from its files. */
  async rows(columns: string): Promise<unknown[][]> {
    const live = await this.liveFiles();
    const of = (content: number): Entry[] => live.filter(({ data_file }) => data_file.content === content);
    return (await this.#duck.runAndReadAll(`SELECT ${columns} FROM (${await this.#liveRows(of(0), of(1))})`)).getRowsJson();
  }

  async #copy(
    data: readonly Entry[],
    deletes: readonly Entry[],
    fields: readonly JsonMap[],
    path: string,
    { select = 'SELECT * FROM live ORDER BY _seq DESC', copy = 'COMPRESSION gzip', ids = true }: Rewrite,
  ): Promise<number> {
    const sql = `WITH live AS (${await this.#liveRows(data, deletes)}) ${select}`;
    const names = (await this.#duck.runAndReadAll(sql)).columnNames();
    const given = fields.filter(({ name }) => names.includes(String(name)));
    const fieldIds = ids ? `, FIELD_IDS {${given.map(({ id, name }) => `"${name}": ${id}`).join(', ')}}` : '';
    const result = await this.#duck.runAndReadAll(`COPY (${sql}) TO '${path}' (FORMAT parquet, ${copy}${fieldIds})`);
    await this.#place.publish(path);
    return Number(result.getRows()[0][0]);
  }

  async #manifest(location: string, entries: readonly object[], codec: 'deflate' | 'null' = 'deflate'): Promise<string> {
    const manifest = `${location}/metadata/${this.#name()}-m0.avro`;
    await this.#writeAvro(manifest, MANIFEST, entries, codec);
    return manifest;
  }

  async #liveRows(data: readonly Entry[], deletes: readonly Entry[]): Promise<string> {
    const pathsOf = (entries: readonly Entry[]): string[] => entries.map(({ data_file }) => this.pathOf(data_file.file_path));
    const { address, root } = this.#place;
    await this.#place.fetch([...pathsOf(data), ...pathsOf(deletes)]);
    return liveRows(pathsOf(data), pathsOf(deletes), `replace(x.file_path, '${address}', '${root}')`);
  }

  async #writeAvro(address: string, schema: object, records: readonly object[], codec = 'deflate'): Promise<void> {
    const path = this.pathOf(address);
    await writeAvro(path, schema, records, codec);
    await this.#place.publish(path);
  }

  async #readAvro<T>(address: unknown): Promise<T[]> {
    const path = this.pathOf(address);
    await this.#place.fetch([path]);
    return readAvro<T>(path);
  }

  #name(): string {
    return `0000${++this.#files}-7-foreign`;
  }
}

function liveRows(data: readonly string[], deletes: readonly string[], deletedIn: string): string {
  const listOf = (paths: readonly string[]): string => `[${paths.map(path => `'${path}'`).join(', ')}]`;
  const all = `SELECT * FROM read_parquet(${listOf(data)}, union_by_name = true, filename = true, file_row_number = true)`;
  const kept =
    deletes.length === 0
      ? all
      : `${all} d WHERE NOT EXISTS (SELECT 1 FROM read_parquet(${listOf(deletes)}) x WHERE ${deletedIn} = d.filename AND x.pos = d.file_row_number)`;
  return `SELECT * EXCLUDE (filename, file_row_number) FROM (${kept})`;
}

function plainEntry({ data_file }: Entry): { data_file: object } {
  const { content, file_path, record_count, file_size_in_bytes } = data_file;
  return { data_file: { content, file_path, file_format: 'PARQUET', partition: {}, record_count, file_size_in_bytes } };
}

function listEntry(manifest: string): object {
  return { manifest_path: manifest, manifest_length: 1, partition_spec_id: 0, content: 0, added_snapshot_id: FOREIGN_ID };
}

/** Integers as they are, of any size. */
const LONG = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer): Id => bytes.readBigInt64LE(),
  toBuffer: (value: Id): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    return bytes;
  },
  fromJSON: Number,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint' || typeof value === 'number',
  compare: () => 0,
});

const LIST = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    { name: 'manifest_path', type: 'string', 'field-id': 500 },
    { name: 'manifest_length', type: 'long', 'field-id': 501 },
    { name: 'partition_spec_id', type: 'int', 'field-id': 502 },
    { name: 'content', type: 'int', 'field-id': 517 },
    { name: 'added_snapshot_id', type: 'long', 'field-id': 503 },
  ],
};

const MANIFEST = {
  type: 'record',
  name: 'manifest_entry',
  fields: [
    { name: 'status', type: 'int', 'field-id': 0 },
    { name: 'snapshot_id', type: ['null', 'long'], default: null, 'field-id': 1 },
    { name: 'sequence_number', type: ['null', 'long'], default: null, 'field-id': 3 },
    {
      name: 'data_file',
      'field-id': 2,
      type: {
        type: 'record',
        name: 'r2',
        fields: [
          { name: 'content', type: 'int', 'field-id': 134 },
          { name: 'file_path', type: 'string', 'field-id': 100 },
          { name: 'file_format', type: 'string', 'field-id': 101 },
          { name: 'partition', type: { type: 'record', name: 'r102', fields: [] }, 'field-id': 102 },
          { name: 'record_count', type: 'long', 'field-id': 103 },
          { name: 'file_size_in_bytes', type: 'long', 'field-id': 104 },
        ],
      },
    },
  ],
};

function typeOf(schema: object): avro.Type {
  return avro.Type.forSchema(schema as avro.Schema, { wrapUnions: false, registry: { long: LONG } });
}

export async function writeAvro(path: string, schema: object, records: readonly object[], codec: string): Promise<void> {
  const encoder = new avro.streams.BlockEncoder(typeOf(schema) as unknown as avro.Schema, { codec });
  const file = encoder.pipe(createWriteStream(path));
  for (const record of records) encoder.write(record);
  encoder.end();
  await once(file, 'finish');
}

export async function readAvro<T>(path: string): Promise<T[]> {
  const decoder = avro.createFileDecoder(path, { parseHook: schema => typeOf(schema as unknown as object) });
  const found: T[] = [];
  decoder.on('data', (record: T) => found.push(record));
  await once(decoder, 'end');
  return found;
}
