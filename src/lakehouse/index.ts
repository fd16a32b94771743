export { dropTable, tableLives } from './collect/lives.ts';
export { asStatePin, pinTableState, type StateFiles, type StatePin } from './collect/state-pins.ts';
export { type Deleted, type PinnedStates, TableCollection } from './collect/table-collection.ts';
export { type ArrowData, type ArrowField, type ArrowSchema, arrow } from './columns/arrow.ts';
export { encodeBatch, encodeEnd, encodeSchema } from './columns/arrow-ipc.ts';
export { recordColumns } from './columns/arrow-schema.ts';
export { BytesBuilder } from './columns/builders.ts';
export { type ColumnBatch, columnsOfRows, fieldsOf, recordBatch } from './columns/column-batch.ts';
export { BoolReader, BytesReader, Int64Reader, NumberReader, VectorReader } from './columns/column-readers.ts';
export { RowDecoder } from './columns/decode-rows.ts';
export { filterToSql, isExactWithoutExtra } from './columns/filter-sql.ts';
export { type ColumnGatherer, columnGatherer, type Selection } from './columns/gather.ts';
export { SchemaFold } from './columns/infer.ts';
export { FieldScan, NULL as NULL_FIELD } from './columns/scan.ts';
export { quotedName, textLiteral } from './columns/sql.ts';
export { initialSchema } from './columns/table-schema.ts';
export { decodePlan } from './columns/value-decoder.ts';
export { type CompactionProgress, type CompactOptions, compactStream } from './compact/compact.ts';
export { expiryEveryMs } from './compact/expiry.ts';
export { type MaintainOptions, maintainTable } from './compact/maintain.ts';
export type { CompactionContext, CompactionSettings, VectorAnswer, VectorRequest } from './compact/settings.ts';
export { lacksTextIndex } from './compact/upkeep.ts';
export { type ParquetRows, PLACE_SQL } from './datasets/parquet-rows.ts';
export { FormatTableStore, type TableFolders } from './format-store.ts';
export { CHUNK_ROWS, type ChunkColumn, chunkOf } from './iceberg/duck-columns.ts';
export { exactJsonText, isMap, type Json, type JsonMap, parseExactJson } from './iceberg/exact-json.ts';
export { sqlType } from './iceberg/fields.ts';
export { IcebergTableStore } from './iceberg/iceberg-store.ts';
export { ObjectTableFiles } from './iceberg/object-table-files.ts';
export { LocalTableFiles, type TableFiles } from './iceberg/table-files.ts';
export { IcebergCatalog } from './iceberg-catalog/iceberg-catalog.ts';
export { checkedNamespace, checkLevel, namespaceOf, type TableName } from './iceberg-catalog/names.ts';
export type { LoadedTable } from './iceberg-catalog/own-tables.ts';
export { commitOf } from './iceberg-catalog/plan-commit.ts';
export { has, mapAt, mapsAt, textAt, textMapAt, textsAt } from './iceberg-catalog/reading.ts';
export { type Metadata, metadataJson } from './iceberg-catalog/types.ts';
export { type LancePlace, objectPlace } from './lance/lance-place.ts';
export { LanceTableStore } from './lance/lance-store.ts';
export { lanceStorageOptions } from './lance/s3-options.ts';
export { MemoryTableStore } from './model/memory-store.ts';
export { CompactionQueue, type CompactionQueueOptions } from './queue/compaction-queue.ts';
export { COMPACTION_TRIGGER_DEFAULTS, type CompactionTrigger, compactionDue, type TailSize } from './queue/due.ts';
export { type CompactionRequest, type CompactionRequests, MAX_PRIORITY } from './queue/job.ts';
export { earliestOffset, expiredCount } from './states/expired.ts';
export { TableStates } from './states/table-states.ts';
export { TableStatistics } from './statistics/statistics.ts';
export type {
  CandidateDetail,
  ChangedRow,
  ExpiredRecords,
  ExpiryBounds,
  StagedFacts,
  TableRows,
  TableStaging,
  TableStore,
  TableVersion,
  TableVersions,
} from './table-store.ts';
export type {
  IndexableRow,
  TableCandidate,
  TableColumn,
  TableRow,
  TableSchema,
  TableState,
  TableStateKind,
} from './table-types.ts';
export { pinState, tagState } from './tags/keep-state.ts';
export { TableTags } from './tags/table-tags.ts';
export { checkTagName, type TableTag } from './tags/tag-codec.ts';
export { verifyStates } from './verify/verify-states.ts';
export { verifyTable } from './verify/verify-table.ts';
export { type UnclaimedFolder, verifyWarehouse, type WarehouseFacts } from './verify/verify-warehouse.ts';
