import { type AvroSchema, decodeContainer, encodeContainer } from './avro-container.ts';
import type { Id } from './exact-json.ts';
import type {
  EntryStatus,
  ManifestEntry,
  ManifestFile,
  PartitionSpec,
  PartitionSummary,
  PartitionValue,
  TableFile,
} from './iceberg-types.ts';
import { avroName, MANIFEST_LIST_SCHEMA } from './manifest-schemas.ts';

/** What manifests say that is the same for all files of a table. */
export interface ManifestContext {
  schema: AvroSchema;
  /** The table's current schema, as JSON. */
  tableSchema: object;
  spec: PartitionSpec;
  /** The address of a file of the `data` or `metadata` folder. */
  uriOf(folder: 'data' | 'metadata', name: string): string;
  sync: Uint8Array;
}

const STATUSES: readonly EntryStatus[] = ['existing', 'added', 'deleted'];

interface KeyValue<V> {
  key: number;
  value: V;
}

interface EntryRecord {
  status: number;
  snapshot_id: Id;
  sequence_number: number;
  file_sequence_number: number;
  data_file: FileRecord;
}

interface FileRecord {
  content: number;
  file_path: string;
  file_format: string;
  partition: Record<string, PartitionValue>;
  record_count: number;
  file_size_in_bytes: number;
  column_sizes: KeyValue<number>[] | null;
  value_counts: KeyValue<number>[] | null;
  null_value_counts: KeyValue<number>[] | null;
  lower_bounds: KeyValue<Uint8Array>[] | null;
  upper_bounds: KeyValue<Uint8Array>[] | null;
  sort_order_id: number | null;
  referenced_data_file: string | null;
}

interface ListRecord {
  manifest_path: string;
  manifest_length: number;
  partition_spec_id: number;
  content: number;
  sequence_number: number;
  min_sequence_number: number;
  added_snapshot_id: Id;
  added_files_count: number;
  existing_files_count: number;
  deleted_files_count: number;
  added_rows_count: number;
  existing_rows_count: number;
  deleted_rows_count: number;
  partitions: SummaryRecord[] | null;
}

interface SummaryRecord {
  contains_null: boolean;
  lower_bound: Uint8Array | null;
  upper_bound: Uint8Array | null;
}

export function encodeManifest(context: ManifestContext, content: 0 | 1, entries: readonly ManifestEntry[]): Uint8Array {
  const metadata = {
    schema: JSON.stringify(context.tableSchema),
    'schema-id': String((context.tableSchema as { 'schema-id': number })['schema-id']),
    'partition-spec': JSON.stringify(context.spec.fields),
    'partition-spec-id': String(context.spec['spec-id']),
    'format-version': '2',
    content: content === 0 ? 'data' : 'deletes',
  };
  const records = entries.map(({ status, file }) => ({
    status: STATUSES.indexOf(status),
    snapshot_id: file.snapshotId,
    sequence_number: file.sequenceNumber,
    file_sequence_number: file.sequenceNumber,
    data_file: fileRecord(context, file),
  }));
  return encodeContainer(context.schema, records, metadata, context.sync);
}

/** The live entries. */
export function decodeManifest(bytes: Uint8Array, spec: PartitionSpec): TableFile[] {
  const { records } = decodeContainer<EntryRecord>(bytes);
  const names = spec.fields.map(field => avroName(field.name));
  return records.filter(({ status }) => STATUSES[status] !== 'deleted').map(record => tableFile(record, names));
}

export function encodeManifestList(
  context: Pick<ManifestContext, 'uriOf' | 'sync'>,
  manifests: readonly ManifestFile[],
  snapshot: { id: Id; parentId: Id | null; sequenceNumber: number },
): Uint8Array {
  const records = manifests.map(({ counts, ...manifest }) => ({
    manifest_path: context.uriOf('metadata', manifest.name),
    manifest_length: manifest.length,
    partition_spec_id: manifest.specId,
    content: manifest.content,
    sequence_number: manifest.sequenceNumber,
    min_sequence_number: manifest.minSequenceNumber,
    added_snapshot_id: manifest.snapshotId,
    added_files_count: counts.added.files,
    existing_files_count: counts.existing.files,
    deleted_files_count: counts.deleted.files,
    added_rows_count: counts.added.rows,
    existing_rows_count: counts.existing.rows,
    deleted_rows_count: counts.deleted.rows,
    partitions: manifest.partitions?.map(summaryRecord) ?? null,
    key_metadata: null,
  }));
  const metadata = {
    'snapshot-id': String(snapshot.id),
    'parent-snapshot-id': String(snapshot.parentId ?? 'null'),
    'sequence-number': String(snapshot.sequenceNumber),
    'format-version': '2',
  };
  return encodeContainer(MANIFEST_LIST_SCHEMA, records, metadata, context.sync);
}

export function decodeManifestList(bytes: Uint8Array): ManifestFile[] {
  return decodeContainer<ListRecord>(bytes).records.map(record => ({
    name: nameOf(record.manifest_path),
    length: record.manifest_length,
    specId: record.partition_spec_id,
    content: record.content === 0 ? 0 : 1,
    sequenceNumber: record.sequence_number,
    minSequenceNumber: record.min_sequence_number,
    snapshotId: record.added_snapshot_id,
    counts: {
      added: { files: record.added_files_count, rows: record.added_rows_count },
      existing: { files: record.existing_files_count, rows: record.existing_rows_count },
      deleted: { files: record.deleted_files_count, rows: record.deleted_rows_count },
    },
    partitions:
      record.partitions?.map(({ contains_null, lower_bound, upper_bound }) => ({
        containsNull: contains_null,
        lower: lower_bound,
        upper: upper_bound,
      })) ?? null,
  }));
}

export function manifestFile(
  name: string,
  length: number,
  content: 0 | 1,
  snapshot: { id: Id; sequenceNumber: number },
  entries: readonly ManifestEntry[],
  partitions: PartitionSummary[],
): ManifestFile {
  const counts: ManifestFile['counts'] = {
    added: { files: 0, rows: 0 },
    existing: { files: 0, rows: 0 },
    deleted: { files: 0, rows: 0 },
  };
  for (const { status, file } of entries) {
    counts[status].files++;
    counts[status].rows += file.records;
  }
  const live = entries.filter(({ status }) => status !== 'deleted').map(({ file }) => file.sequenceNumber);
  const common = { name, length, content, specId: 0, snapshotId: snapshot.id, sequenceNumber: snapshot.sequenceNumber };
  return { ...common, minSequenceNumber: Math.min(snapshot.sequenceNumber, ...live), counts, partitions };
}

/** No field of a partition is a floating-point number, so none is NaN. */
function summaryRecord({ containsNull, lower, upper }: PartitionSummary): object {
  const bytesOf = (bound: Uint8Array | null): Buffer | null => (bound === null ? null : Buffer.from(bound));
  return { contains_null: containsNull, contains_nan: false, lower_bound: bytesOf(lower), upper_bound: bytesOf(upper) };
}

/** Folders move, and files keep their names: what an address says before the last slash is for other engines. */
export function nameOf(uri: string): string {
  return uri.slice(uri.lastIndexOf('/') + 1);
}

function fileRecord({ spec, uriOf }: ManifestContext, file: TableFile): object {
  return {
    content: file.content,
    file_path: uriOf('data', file.name),
    file_format: 'PARQUET',
    partition: Object.fromEntries(spec.fields.map((field, index) => [avroName(field.name), file.partition[index] ?? null])),
    record_count: file.records,
    file_size_in_bytes: file.bytes,
    column_sizes: pairs(file.columnBytes),
    value_counts: pairs(file.valueCounts),
    null_value_counts: pairs(file.nullCounts),
    nan_value_counts: null,
    lower_bounds: pairs(file.lower)?.map(({ key, value }) => ({ key, value: Buffer.from(value) })) ?? null,
    upper_bounds: pairs(file.upper)?.map(({ key, value }) => ({ key, value: Buffer.from(value) })) ?? null,
    key_metadata: null,
    split_offsets: null,
    equality_ids: null,
    sort_order_id: file.content === 0 ? file.sortOrderId : null,
    referenced_data_file: file.referencedDataFile === null ? null : uriOf('data', file.referencedDataFile),
  };
}

function pairs<V>(map: ReadonlyMap<number, V>): KeyValue<V>[] | null {
  return map.size === 0 ? null : [...map].map(([key, value]) => ({ key, value }));
}

function tableFile(record: EntryRecord, partitionNames: readonly string[]): TableFile {
  const file = record.data_file;
  const map = <V>(list: KeyValue<V>[] | null): Map<number, V> => new Map((list ?? []).map(({ key, value }) => [key, value]));
  return {
    content: file.content === 0 ? 0 : 1,
    name: nameOf(file.file_path),
    partition: partitionNames.map(name => file.partition[name] ?? null),
    records: file.record_count,
    bytes: file.file_size_in_bytes,
    columnBytes: map(file.column_sizes),
    valueCounts: map(file.value_counts),
    nullCounts: map(file.null_value_counts),
    lower: map(file.lower_bounds),
    upper: map(file.upper_bounds),
    sortOrderId: file.sort_order_id ?? 0,
    referencedDataFile: file.referenced_data_file === null ? null : nameOf(file.referenced_data_file),
    snapshotId: record.snapshot_id,
    sequenceNumber: record.sequence_number,
  };
}
