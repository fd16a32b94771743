import { ERROR_KINDS, type ErrorCode } from './error-kinds.ts';

/** Extra facts an error carries for the reader; everything here may be shown to a client. */
export interface ErrorDetails {
  /** What happened, in one sentence, with the names and numbers involved. */
  detail?: string;
  /** When the caller may try again. */
  retryAfterMs?: number;
  /** Machine-readable facts, such as the position reached. Never secrets. */
  data?: Record<string, unknown>;
  cause?: unknown;
}

/** An RFC 9457 problem document. `code` is stable; `action` says what to do next. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: ErrorCode;
  detail: string;
  action: string;
  retryAfterMs?: number;
  data?: Record<string, unknown>;
}

/** The one error class: its `code` names a kind of the registry in `error-kinds.ts`. */
export class TailwaterError extends Error {
  override readonly name = 'TailwaterError';
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;
  readonly data: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    super(details.detail ?? ERROR_KINDS[code].title, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retryAfterMs = details.retryAfterMs;
    this.data = details.data;
  }

  get status(): number {
    return ERROR_KINDS[this.code].status;
  }

  toProblem(): Problem {
    const kind = ERROR_KINDS[this.code];
    return {
      type: `urn:tailwater:problem:${this.code}`,
      title: kind.title,
      status: kind.status,
      code: this.code,
      detail: this.message,
      action: kind.action,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      ...(this.data === undefined ? {} : { data: this.data }),
    };
  }
}

/** True for a TailwaterError, and when codes are given, only for one of these. */
export function isTailwaterError(error: unknown, ...codes: ErrorCode[]): error is TailwaterError {
  return error instanceof TailwaterError && (codes.length === 0 || codes.includes(error.code));
}

/** Wraps anything thrown that is not ours, so that no layer leaks a bare error to a client. */
export function asTailwaterError(error: unknown): TailwaterError {
  if (error instanceof TailwaterError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new TailwaterError('TW_INTERNAL', { detail, cause: error });
}
