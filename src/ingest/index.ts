export {
  Appender,
  type AppendInput,
  type AppendResult,
  type AtomicReceipt,
  type AtomicWrite,
  SOURCES_STREAM,
  type SourceProgress,
} from './appender.ts';
export { checkDocument, checkDocumentId, type DocumentInput, documentTooLarge } from './documents/document-input.ts';
export { chunkKey, chunkRow, type DocumentRow, documentOf, documentRow, restoredText } from './documents/document-rows.ts';
export { type DocumentPlan, planDelete, planPut } from './documents/plan-document.ts';
export {
  type DocumentIngestOptions,
  type DocumentIngestSummary,
  ingestDocuments,
  isDocumentFile,
} from './files/ingest-documents.ts';
export {
  type IngestOptions,
  type IngestProgress,
  type IngestSummary,
  type IngestTarget,
  ingestSource,
} from './files/ingest-source.ts';
export { FORMATS, listSources, type SourceFormat } from './files/source-file.ts';
export { parseRecordsBody } from './records/exact-json.ts';
export type { Envelope } from './records/input.ts';
export { compileSchema } from './records/schema-check.ts';
