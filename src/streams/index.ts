export type { EmbedSettings, StreamDefinition, StreamKind, StreamSettings, TimeUnit } from './definition.ts';
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
