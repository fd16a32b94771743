export { dropTable, tableLives } from './collect/lives.ts';
export { asStatePin, pinTableState, type StatePin } from './collect/state-pins.ts';
export { type Deleted, TableCollection } from './collect/table-collection.ts';
export { filterToSql } from './columns/filter-sql.ts';
export { type CompactionProgress, type CompactOptions, compactStream } from './compact/compact.ts';
export { expiryEveryMs } from './compact/expiry.ts';
export { type MaintainOptions, maintainTable } from './compact/maintain.ts';
export type { CompactionContext, CompactionSettings, VectorAnswer, VectorRequest } from './compact/settings.ts';
export { lacksTextIndex } from './compact/upkeep.ts';
export { LanceTableStore } from './lance/lance-store.ts';
export { MemoryTableStore } from './model/memory-store.ts';
export { CompactionQueue, type CompactionQueueOptions } from './queue/compaction-queue.ts';
export { COMPACTION_TRIGGER_DEFAULTS, type CompactionTrigger, compactionDue, type TailSize } from './queue/due.ts';
export type { CompactionRequest } from './queue/job.ts';
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
export { tagState } from './tags/keep-state.ts';
export { TableTags } from './tags/table-tags.ts';
export { checkTagName, type TableTag } from './tags/tag-codec.ts';
export { verifyStates } from './verify/verify-states.ts';
export { verifyTable } from './verify/verify-table.ts';
