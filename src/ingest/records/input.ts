import type { ErrorCode, JsonObject, JsonValue } from '../../base/index.ts';

/** Bounds of what one record may be. */
export interface RecordLimits {
  /** Bytes of the value; default 1 MiB. */
  maxRecordBytes: number;
  /** Default 64 KiB. */
  maxKeyBytes: number;
  /** Distinct paths in one value; default 10,000. */
  maxFields: number;
  /** Objects and arrays in each other; default 256. Whoever reads a value may walk it recursively. */
  maxDepth: number;
  /** How far an event time may lie in the future; default 1 h. */
  maxFutureMs: number;
}

export const RECORD_LIMITS: RecordLimits = {
  maxRecordBytes: 1024 * 1024,
  maxKeyBytes: 64 * 1024,
  maxFields: 10_000,
  maxDepth: 256,
  maxFutureMs: 3_600_000,
};

/** A record that was not written, by its place in the request. */
export interface Rejection {
  index: number;
  code: ErrorCode;
  message: string;
}

/** The text of a value as the client wrote it, on records whose numbers a JavaScript number cannot hold. */
export const VALUE_TEXT = Symbol('value text');

/** A record as clients send it; nothing of it is to be trusted yet. */
export interface Envelope {
  key?: unknown;
  time?: unknown;
  headers?: unknown;
  value?: unknown;
  [VALUE_TEXT]?: string;
}

/** What a definition's rules read of a value. */
export interface ParsedValue {
  value: JsonObject | null;
  /** The value's JSON text. */
  text: () => string;
}

export type { JsonValue };
