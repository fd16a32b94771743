import { isUtf8 } from 'node:buffer';
import { isTailwaterError, TailwaterError } from '../../base/index.ts';
import { parseRecordsBody } from '../../ingest/index.ts';
import { malformedAt } from './malformed-at.ts';

/** The value of a JSON body; TW_MALFORMED_JSON with the position of the first wrong character. An empty body is undefined. */
export function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  requireUtf8(body);
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw malformed(body, (error as Error).message);
  }
}

/** The records of a JSON body, their long numbers kept as text. */
export function parseRecords(body: Buffer): readonly unknown[] {
  requireUtf8(body);
  try {
    return parseRecordsBody(body);
  } catch (error) {
    throw isTailwaterError(error, 'TW_MALFORMED_JSON') ? malformed(body, error.message) : error;
  }
}

/** Decoding would put replacement characters in the place of what was sent. */
function requireUtf8(body: Buffer): void {
  if (!isUtf8(body)) throw new TailwaterError('TW_MALFORMED_JSON', { detail: 'The body is not valid UTF-8.' });
}

/** V8 names the position in some messages only; control characters in strings are among those. */
function malformed(body: Buffer, reason: string): TailwaterError {
  const text = body.toString('utf8');
  const named = /at position (\d+)/.exec(reason);
  const position = named === null ? malformedAt(text) : Number(named[1]);
  const found = position < text.length ? `unexpected ${JSON.stringify(text[position])}` : 'it ends too early';
  return new TailwaterError('TW_MALFORMED_JSON', {
    detail: `The body is not valid JSON at position ${position}: ${found}.`,
    data: { position },
  });
}
