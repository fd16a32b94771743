export { Catalog, type StreamChange } from './catalog/catalog.ts';
export { checkCatalogEntry } from './catalog/catalog-machine.ts';
export { CatalogView } from './catalog/catalog-view.ts';
export { readCatalog } from './catalog/read-catalog.ts';
export { normaliseSettings, requestedChunks } from './catalog/settings.ts';
export type {
  ChunkSettings,
  EmbedSettings,
  MaintenanceSettings,
  PartitionRule,
  StreamChanges,
  StreamDefinition,
  StreamKind,
  StreamSettings,
  TableFormat,
  TimeUnit,
} from './definition.ts';
export { type Comparison, type Equality, type Filter, filterPaths, requiredEquality } from './filter/filter.ts';
export { matches } from './filter/matches.ts';
export { parseFilter } from './filter/parse.ts';
export { partitionOfKey } from './partitioner.ts';
export { decodeToken, encodeToken, type Position, type PositionInstant } from './position/token.ts';
export type { RecordBatch, RecordHeader, RecordSlab, StreamRecord } from './records.ts';
export {
  type AppendPart,
  type AppendReceipt,
  type AppendRequest,
  type ControlRecord,
  MAX_SEGMENT_RECORDS,
  recordSeq,
  type Segment,
  type SegmentBatch,
} from './segment-types.ts';
export { RowIndex } from './tail/row-index.ts';
export { StreamTail } from './tail/stream-tail.ts';
export type { TailHit, TailSnapshot } from './tail/tail-snapshot.ts';
export { ValueIndexes } from './tail/value-index.ts';
export { vectorDistance } from './tail/vector-distance.ts';
export { analyze, LANCE_TEXT_INDEX } from './text/analyze.ts';
export { BM25_DEFAULTS, Bm25, type CorpusStatistics } from './text/bm25.ts';
export { embedText, searchText } from './text/record-text.ts';
export { decodeRecordBatch, recordAt } from './wal/batch-decode.ts';
export { encodeRecordBatch, encodeRecordBatches, stampBaseOffset } from './wal/batch-encode.ts';
export { isBehind, type LogFloorPlan, planLogFloor, type StreamProgress } from './wal/log-floor.ts';
export { asLogPin, type LogPin } from './wal/log-pins.ts';
export { LogReader } from './wal/log-reader.ts';
export { LogShard, type LogShardOptions } from './wal/log-shard.ts';
export { decodeSegment, encodeSegment } from './wal/segment.ts';
export { coverageFault, LogVerification } from './wal/verify-log.ts';
