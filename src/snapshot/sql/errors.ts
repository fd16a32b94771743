import { isTailwaterError, TailwaterError } from '../../base/index.ts';

/** What DuckDB says first in its messages, and what that is for the one who asked. */
const CODES = [
  [/^Out of Memory Error/i, 'TW_SQL_MEMORY'],
  [/^Permission Error/i, 'TW_SQL_NOT_ALLOWED'],
  [
    /^(Parser|Binder|Catalog|Conversion|Invalid Input|Out of Range|Syntax|Not implemented|Type|Mismatch Type|Sequence|Dependency|Expression|Parameter Not Resolved|Parameter Not Allowed|Invalid|Invalid Type|Constraint|INTERNAL Error: Invalid)[ :]/i,
    'TW_SQL_INVALID',
  ],
] as const;

/** Errors of the query itself, whatever its tables hold. */
const OWN_FAULT = /^(Parser|Binder|Catalog|Conversion|Out of Range|Out of Memory|INTERRUPT)/i;

/** Whether what DuckDB said may be about the files it read; one that is missing is one it may not access. */
export function isUnreadable(error: unknown): error is TailwaterError {
  if (!isTailwaterError(error, 'TW_INTERNAL', 'TW_SQL_INVALID', 'TW_SQL_NOT_ALLOWED')) return false;
  return error.cause instanceof Error && !OWN_FAULT.test(error.cause.message);
}

export function invalid(why: string): TailwaterError {
  return new TailwaterError('TW_SQL_INVALID', { detail: why });
}

/** The first paragraph of the message, with the position that DuckDB draws under the line left out. */
export function asSqlError(error: unknown): TailwaterError {
  if (isTailwaterError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = CODES.find(([pattern]) => pattern.test(message))?.[1];
  const [text] = message.split('\n\n');
  const detail = code === 'TW_SQL_MEMORY' ? 'The query needed more memory than queries may use.' : text.replace(/\s+$/, '');
  return new TailwaterError(code ?? 'TW_INTERNAL', { detail, cause: error });
}
