import type { Id } from './exact-json.ts';

/** Iceberg's table metadata (format version 2), as it stands in `v{n}.metadata.json`; and files as manifests describe them. */
export type IcebergType = 'int' | 'long' | 'double' | 'boolean' | 'string' | 'binary' | 'timestamptz';

export interface IcebergField {
  id: number;
  name: string;
  required: boolean;
  type: IcebergType;
}

export interface IcebergSchema {
  type: 'struct';
  'schema-id': number;
  fields: IcebergField[];
}

export interface PartitionField {
  'source-id': number;
  'field-id': number;
  name: string;
  /** `identity`, `day`, `hour` or `bucket[n]`. */
  transform: string;
}

export interface PartitionSpec {
  'spec-id': number;
  fields: PartitionField[];
}

export interface SortField {
  transform: 'identity';
  'source-id': number;
  direction: 'asc' | 'desc';
  'null-order': 'nulls-first' | 'nulls-last';
}

export interface SortOrder {
  'order-id': number;
  fields: SortField[];
}

export interface IcebergSnapshot {
  /** Those of other engines may be beyond 2^53. */
  'snapshot-id': Id;
  'parent-snapshot-id'?: Id;
  'sequence-number': number;
  'timestamp-ms': number;
  'manifest-list': string;
  'schema-id': number;
  summary: Record<string, string>;
}

export interface TableMetadata {
  'format-version': 2;
  'table-uuid': string;
  location: string;
  'last-sequence-number': number;
  'last-updated-ms': number;
  'last-column-id': number;
  'current-schema-id': number;
  schemas: IcebergSchema[];
  'default-spec-id': number;
  'partition-specs': PartitionSpec[];
  'last-partition-id': number;
  'default-sort-order-id': number;
  'sort-orders': SortOrder[];
  properties: Record<string, string>;
  /** -1: none. */
  'current-snapshot-id': Id;
  refs: Record<string, { 'snapshot-id': Id; type: 'branch' }>;
  snapshots: IcebergSnapshot[];
  'snapshot-log': { 'snapshot-id': Id; 'timestamp-ms': number }[];
  'metadata-log': { 'metadata-file': string; 'timestamp-ms': number }[];
}

export type PartitionValue = number | string | boolean | null;

/** A data file (content 0) or a file of position deletes (content 1). */
export interface TableFile {
  content: 0 | 1;
  /** Its name in the table's `data` folder. */
  name: string;
  partition: PartitionValue[];
  records: number;
  bytes: number;
  /** By field id. */
  columnBytes: ReadonlyMap<number, number>;
  valueCounts: ReadonlyMap<number, number>;
  nullCounts: ReadonlyMap<number, number>;
  /** Single values in Iceberg's binary form; texts cut to a prefix. */
  lower: ReadonlyMap<number, Uint8Array>;
  upper: ReadonlyMap<number, Uint8Array>;
  sortOrderId: number;
  /** Of position deletes: the one data file they are about; null for several. */
  referencedDataFile: string | null;
  snapshotId: Id;
  sequenceNumber: number;
}

/** Between which values of one field of the partition the files of a manifest lie. */
export interface PartitionSummary {
  containsNull: boolean;
  /** In Iceberg's binary form; null: no file has a value. */
  lower: Uint8Array | null;
  upper: Uint8Array | null;
}

/** A manifest, as the manifest list describes it. */
export interface ManifestFile {
  /** Its name in the table's `metadata` folder. */
  name: string;
  length: number;
  specId: number;
  content: 0 | 1;
  sequenceNumber: number;
  minSequenceNumber: number;
  snapshotId: Id;
  counts: Record<'added' | 'existing' | 'deleted', { files: number; rows: number }>;
  /** Per field of the partition; null where the list of an earlier release has none. */
  partitions: PartitionSummary[] | null;
}

export type EntryStatus = 'existing' | 'added' | 'deleted';

export interface ManifestEntry {
  status: EntryStatus;
  file: TableFile;
}
