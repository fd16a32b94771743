import type { JsonValue } from '../base/index.ts';

/**
 * What could end a block of markup, or is invisible to a reader and misleads a model: angle brackets, backticks, tildes, control and format
 * characters, line and paragraph separators, variation selectors, blank letters, tag characters.
 */
const UNSAFE =
  /[<>`~\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|[\u115f\u1160\u3164\uffa0\u{e0000}-\u{e0fff}]|\u034f|\u17b4|\u17b5|[\u180b-\u180f]|[\ufe00-\ufe0f]/gu;

/** JSON of one line that parses to the same value, in which nothing of the data can end a block or hide. */
export function safeJson(value: JsonValue): string {
  return JSON.stringify(value).replaceAll(UNSAFE, escaped);
}

function escaped(found: string): string {
  let text = '';
  for (let at = 0; at < found.length; at++) text += `\\u${found.charCodeAt(at).toString(16).padStart(4, '0')}`;
  return text;
}
