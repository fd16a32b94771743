import type { JsonValue } from '../base/index.ts';
import type { AppendRecord } from './api.ts';

export interface StepPlace {
  /** Who works through the stream: workers that share a name share its inputs, each of which is one worker’s. 1-200 characters. */
  consumer: string;
  stream: string;
  /** Default 0. */
  partition?: number;
}

export interface StepRequest {
  /** 1-200 characters. */
  consumer: string;
  /** What the step has worked through: the offsets `from` (default: `offset`) to `offset`, both included. */
  input: { stream: string; partition?: number; offset: number; from?: number };
  /** Committed with the position, all or nothing; none: the input is acknowledged only. */
  outputs?: readonly { stream: string; records: readonly AppendRecord[] }[];
  /** Kept for whoever repeats the step: at most 64 KiB of JSON. Default null. */
  result?: JsonValue;
}

export interface PositionAnswer {
  /** The last offset that this consumer has worked through; -1 before any. The next step begins at `position + 1`. */
  position: number;
  /** Of the step that moved it there. */
  result: JsonValue;
  token: string;
}

export interface StepAnswer extends PositionAnswer {
  /** False: an earlier step had this input; nothing was written, and `result` is that step's, or null where it is no longer known. */
  applied: boolean;
}

/** Inputs worked through exactly once: the same on the embedded engine and the HTTP client. Every rejection is a TailwaterError. */
export interface StepsApi {
  /**
   * Acknowledges an input and writes its outputs in one commit of the log. To be repeated as it is after any error whose outcome is not known.
   * TW_OUT_OF_ORDER_SEQUENCE: inputs before it have not been worked through; TW_VERSION_MISMATCH: an earlier step has a part of them. Whatever
   * is wrong with an output, such as TW_SCHEMA_MISMATCH, refuses the whole step. TW_BODY_TOO_LARGE when it does not fit one segment.
   */
  step(request: StepRequest): Promise<StepAnswer>;
  stepPosition(place: StepPlace): Promise<PositionAnswer>;
}
