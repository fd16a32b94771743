import type { Id, JsonMap } from '../iceberg/exact-json.ts';

/**
 * Table metadata (Iceberg, format version 2) as a document that other engines share: what the catalog computes with is typed, and what
 * it does not know passes through.
 */
export interface Metadata {
  'format-version': number;
  'table-uuid': string;
  location: string;
  'last-sequence-number': Id;
  'last-updated-ms': number;
  'last-column-id': number;
  'current-schema-id': number;
  schemas: SchemaJson[];
  'default-spec-id': number;
  'partition-specs': SpecJson[];
  'last-partition-id': number;
  'default-sort-order-id': number;
  'sort-orders': OrderJson[];
  properties: Record<string, string>;
  /** -1: none. */
  'current-snapshot-id': Id;
  refs: Record<string, RefJson>;
  snapshots: SnapshotJson[];
  'snapshot-log': LogEntry[];
  'metadata-log': { 'metadata-file': string; 'timestamp-ms': number }[];
  statistics: JsonMap[];
  'partition-statistics': JsonMap[];
}

export type SchemaJson = { type: 'struct'; 'schema-id': number; fields: JsonMap[]; 'identifier-field-ids'?: number[] };
export type SpecFieldJson = { 'source-id': number; 'field-id': number; name: string; transform: string };
export type SpecJson = { 'spec-id': number; fields: SpecFieldJson[] };
export type OrderJson = { 'order-id': number; fields: JsonMap[] };
export type RefJson = { 'snapshot-id': Id; type: string } & JsonMap;
export type SnapshotJson = { 'snapshot-id': Id; 'sequence-number': Id; 'timestamp-ms': number } & JsonMap;
export type LogEntry = { 'snapshot-id': Id; 'timestamp-ms': number };

/** What it is when nothing of a new table has been said yet. */
export function blankMetadata(): Metadata {
  return {
    'format-version': 2,
    'table-uuid': '',
    location: '',
    'last-sequence-number': 0,
    'last-updated-ms': 0,
    'last-column-id': 0,
    'current-schema-id': -1,
    schemas: [],
    'default-spec-id': -1,
    'partition-specs': [],
    'last-partition-id': 999,
    'default-sort-order-id': -1,
    'sort-orders': [],
    properties: {},
    'current-snapshot-id': -1,
    refs: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    statistics: [],
    'partition-statistics': [],
  };
}

/** As JSON: the types above only name what is in it. */
export function metadataJson(metadata: Metadata): JsonMap {
  return metadata as unknown as JsonMap;
}

export function metadataOf(json: object): Metadata {
  return { ...blankMetadata(), ...(json as Metadata) };
}
