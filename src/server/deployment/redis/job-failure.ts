import { asTailwaterError, ERROR_KINDS, type ErrorCode, isJsonObject, TailwaterError } from '../../../base/index.ts';

/** A failure as the text that BullMQ keeps of it. */
export function failureText(error: unknown): string {
  const { code, detail } = asTailwaterError(error).toProblem();
  return JSON.stringify({ code, detail });
}

/** What it was; what BullMQ itself says of a job, such as that its workers kept dying, is TW_COMPACTION_FAILED. */
export function parseFailure(text: string): TailwaterError {
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value) && typeof value.code === 'string' && Object.hasOwn(ERROR_KINDS, value.code)) {
      const detail = typeof value.detail === 'string' ? { detail: value.detail } : {};
      return new TailwaterError(value.code as ErrorCode, detail);
    }
  } catch {
    // Not ours.
  }
  return new TailwaterError('TW_COMPACTION_FAILED', { detail: text });
}
