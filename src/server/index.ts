export { type AccessKeyInfo, type AccessKeyInput, type NewAccessKey, SCOPES, type Scope } from './access/access-key.ts';
export type {
  ApiKey,
  ApiRecord,
  AppendAnswer,
  AppendOptions,
  AppendRecord,
  CollectApiOptions,
  CollectionReport,
  FollowEvent,
  FollowOptions,
  Health,
  QueryAnswer,
  QueryHit,
  ReadAnswer,
  ReadOptions,
  RowAnswer,
  ScanAnswer,
  ScanFormat,
  ScanOptions,
  SourceProgress,
  SqlOptions,
  SqlResult,
  StreamInfo,
  TableDatasets,
  TableInfo,
  TableJob,
  TagInfo,
  TagOptions,
  TailwaterApi,
} from './api.ts';
export { encodeQueryAnswer, encodeReadAnswer, encodeRecord, encodeSqlAnswer } from './api-encoding.ts';
export { parseReadFrom } from './api-mapping.ts';
export { previewCollection, previewFolder } from './collect/preview-folder.ts';
export { readConfigFile } from './config/config-file.ts';
export { type NodeConfig, nodeConfig } from './config/node-config.ts';
export { readConfig } from './config/read-config.ts';
export { flagName } from './config/setting.ts';
export { SETTINGS } from './config/setting-list.ts';
export type { ContextsApi } from './contexts-api.ts';
export { pathsOf } from './data-folder.ts';
export { TABLES } from './deployment/keys.ts';
export { joinDeploymentToVerify, LOG_PREFIX, type S3Storage } from './deployment/s3-deployment.ts';
export type {
  DeleteDocumentAnswer,
  DocumentAnswer,
  DocumentPage,
  DocumentPart,
  DocumentSummary,
  DocumentVersionOptions,
  ListDocumentsOptions,
  PutDocumentAnswer,
} from './documents-api.ts';
export type { FeaturesApi, ViewInput } from './features-api.ts';
export { type HttpServer, type HttpServerOptions, serve } from './http/server.ts';
export type { KeysApi } from './keys-api.ts';
export type { LiveApi, LiveCallOptions, LiveContextCall, LiveMatchOptions } from './live-api.ts';
export { serveMcpStdio } from './mcp/stdio.ts';
export type { Role } from './roles.ts';
export type { EngineOptions } from './settings.ts';
export type { PositionAnswer, StepAnswer, StepPlace, StepRequest } from './steps-api.ts';
export { Tailwater } from './tailwater.ts';
export { startTracing } from './tracing/export.ts';
