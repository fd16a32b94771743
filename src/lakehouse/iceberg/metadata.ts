import { crc32c, fromUtf8, TailwaterError, utf8 } from '../../base/index.ts';
import { exactJsonText, type Json, parseExactJson } from './exact-json.ts';
import { LAST_SYSTEM_ID, sameFields, schemaInFiles, schemaOfFiles } from './fields.ts';
import type { IcebergField, IcebergSchema, IcebergSnapshot, PartitionSpec, SortField, TableMetadata } from './iceberg-types.ts';

/** Earlier snapshots that a metadata file lists. The table states, which have their own history, name each version by itself. */
const MAX_SNAPSHOTS = 100;
const MAX_LOGGED_METADATA = 20;

const CHECKSUM = 'tailwater.crc32c';
const NO_CHECKSUM = '00000000';

/** Where one is, numbers are read from their text, which costs several times as much. */
const LONG_INTEGER = /\d{16}/;

export interface NewTable {
  uuid: string;
  location: string;
  fields: IcebergField[];
  lastColumnId: number;
  spec: PartitionSpec;
  sort: SortField[];
  nowMs: number;
}

export function firstMetadata(table: NewTable): TableMetadata {
  const orders = [{ 'order-id': 0, fields: [] as SortField[] }];
  if (table.sort.length > 0) orders.push({ 'order-id': 1, fields: table.sort });
  return {
    'format-version': 2,
    'table-uuid': table.uuid,
    location: table.location,
    'last-sequence-number': 0,
    'last-updated-ms': table.nowMs,
    'last-column-id': Math.max(LAST_SYSTEM_ID, table.lastColumnId),
    'current-schema-id': 0,
    schemas: [{ type: 'struct', 'schema-id': 0, fields: table.fields }],
    'default-spec-id': 0,
    'partition-specs': [table.spec],
    'last-partition-id': table.spec.fields.reduce((last, field) => Math.max(last, field['field-id']), 999),
    'default-sort-order-id': orders.length - 1,
    'sort-orders': orders,
    properties: {
      'write.format.default': 'parquet',
      'write.parquet.compression-codec': 'zstd',
      'write.delete.mode': 'merge-on-read',
      'write.update.mode': 'merge-on-read',
      'write.merge.mode': 'merge-on-read',
    },
    'current-snapshot-id': -1,
    refs: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
  };
}

/** Adds a schema, or goes back to an equal one. */
export function withFields(metadata: TableMetadata, fields: IcebergField[], lastColumnId: number): TableMetadata {
  const known = metadata.schemas.find(schema => sameFields(schema.fields, fields));
  if (known !== undefined) return { ...metadata, 'current-schema-id': known['schema-id'] };
  const id = Math.max(...metadata.schemas.map(schema => schema['schema-id'])) + 1;
  return {
    ...metadata,
    'last-column-id': Math.max(metadata['last-column-id'], lastColumnId),
    'current-schema-id': id,
    schemas: [...metadata.schemas, { type: 'struct', 'schema-id': id, fields }],
  };
}

/** `isKept`: whether the manifest list of an earlier snapshot is still there. */
export function withSnapshot(
  metadata: TableMetadata,
  snapshot: IcebergSnapshot,
  isKept: (snapshot: IcebergSnapshot) => boolean,
): TableMetadata {
  const id = snapshot['snapshot-id'];
  const kept = metadata.snapshots.filter(isKept).slice(1 - MAX_SNAPSHOTS);
  const keptIds = new Set(kept.map(each => each['snapshot-id']));
  return {
    ...metadata,
    'last-sequence-number': snapshot['sequence-number'],
    'last-updated-ms': snapshot['timestamp-ms'],
    'current-snapshot-id': id,
    refs: { main: { 'snapshot-id': id, type: 'branch' } },
    snapshots: [...kept, snapshot],
    'snapshot-log': [
      ...metadata['snapshot-log'].filter(entry => keptIds.has(entry['snapshot-id'])),
      { 'snapshot-id': id, 'timestamp-ms': snapshot['timestamp-ms'] },
    ],
  };
}

export function withLog(metadata: TableMetadata, file: string, timestampMs: number): TableMetadata {
  const log = [...metadata['metadata-log'], { 'metadata-file': file, 'timestamp-ms': timestampMs }];
  return { ...metadata, 'metadata-log': log.slice(-MAX_LOGGED_METADATA) };
}

export function currentSchema(metadata: TableMetadata): IcebergSchema {
  return metadata.schemas.find(schema => schema['schema-id'] === metadata['current-schema-id'])!;
}

export function currentSnapshot(metadata: TableMetadata): IcebergSnapshot | null {
  return metadata.snapshots.find(snapshot => snapshot['snapshot-id'] === metadata['current-snapshot-id']) ?? null;
}

/** JSON with a checksum among the properties: that of the file's name and the text in which it is zeros. */
export function encodeMetadata(metadata: TableMetadata, name: string): Uint8Array {
  const properties = { ...metadata.properties, [CHECKSUM]: NO_CHECKSUM };
  const text = exactJsonText({ ...metadata, schemas: metadata.schemas.map(schemaInFiles), properties } as unknown as Json, 1);
  return utf8(text.replace(marked(NO_CHECKSUM), marked(checksumOf(name, text))));
}

/** Throws TW_DATA_DAMAGED, TW_FORMAT_TOO_NEW. */
export function decodeMetadata(bytes: Uint8Array, name: string): TableMetadata {
  const text = fromUtf8(bytes);
  const found = new RegExp(`"${CHECKSUM}": "([0-9a-f]{8})"`).exec(text)?.[1];
  if (found === undefined || checksumOf(name, text.replace(marked(found), marked(NO_CHECKSUM))) !== found) {
    throw new TailwaterError('TW_DATA_DAMAGED', { detail: 'Its checksum does not match its content.' });
  }
  const metadata = (LONG_INTEGER.test(text) ? parseExactJson(bytes) : JSON.parse(text)) as unknown as TableMetadata;
  if (metadata['format-version'] === 2) return { ...metadata, schemas: metadata.schemas.map(schemaOfFiles) };
  throw new TailwaterError('TW_FORMAT_TOO_NEW', {
    detail: `The Iceberg table has format ${metadata['format-version']}, this build reads 2.`,
  });
}

function marked(checksum: string): string {
  return `"${CHECKSUM}": "${checksum}"`;
}

function checksumOf(name: string, text: string): string {
  return crc32c(utf8(`${name}\n${text}`))
    .toString(16)
    .padStart(8, '0');
}
