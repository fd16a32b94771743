export { type ErrorCode, type JsonObject, type JsonValue, type Problem, TailwaterError } from './base/index.ts';
export type { QueryRequest, SearchMode } from './retrieval/index.ts';
export {
  type ApiKey,
  type ApiRecord,
  type AppendAnswer,
  type AppendOptions,
  type AppendRecord,
  type CollectApiOptions,
  type CollectionReport,
  type EngineOptions,
  type FollowEvent,
  type FollowOptions,
  type Health,
  type QueryAnswer,
  type QueryHit,
  type ReadAnswer,
  type ReadOptions,
  type RowAnswer,
  type SourceProgress,
  type StreamInfo,
  type TableDatasets,
  type TableInfo,
  type TableJob,
  type TagInfo,
  type TagOptions,
  Tailwater,
  type TailwaterApi,
} from './server/index.ts';
export type { Consistency, Freshness } from './snapshot/index.ts';
export type { MaintenanceSettings, StreamChanges, StreamDefinition, StreamSettings } from './streams/index.ts';
