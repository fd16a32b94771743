import { isUtf8 } from 'node:buffer';
import { TailwaterError } from '../../base/index.ts';
import { malformedAt } from './malformed-at.ts';

/** The value of a JSON body; TW_MALFORMED_JSON with the position of the first wrong character. An empty body is undefined. */
export function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) throw new TailwaterError('TW_MALFORMED_JSON', { detail: 'The body is not valid UTF-8.' });
  const text = body.toString('utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 names the position in some messages only; control characters in strings are among those.
    const named = /at position (\d+)/.exec((error as Error).message);
    const position = named === null ? malformedAt(text) : Number(named[1]);
    const found = position < text.length ? `unexpected ${JSON.stringify(text[position])}` : 'it ends too early';
    throw new TailwaterError('TW_MALFORMED_JSON', {
      detail: `The body is not valid JSON at position ${position}: ${found}.`,
      data: { position },
    });
  }
}
