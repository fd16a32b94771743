import type { Pace } from '../../base/index.ts';
import type { CountTokens } from './tokens.ts';

/** [start, end) in UTF-16 code units; both ends are at text, not at white space. */
export interface Range {
  start: number;
  end: number;
}

export interface Cutter {
  count: CountTokens;
  pace: Pace;
}

/** Tokens of more characters than this on average are white space for the most part; a text of so many is cut without being counted. */
const MAX_CHARS_PER_TOKEN = 16;
/** The last is in no well-formed text: without it, the splitter would go on and cut between any two UTF-16 code units. */
const SEPARATORS = ['\r\n\r\n', '\n\n', '\n', ' ', '\uD800'];
const BLANK = /\s*/y;

/**
 * The text of a range in pieces of at most `maxTokens`, which leave out nothing but white space: at paragraphs, else lines, else words, where the
 * splitter says; what has none of these, between any two characters.
 */
export async function piecesOf(text: string, range: Range, maxTokens: number, cutter: Cutter): Promise<Range[]> {
  const whole = trimmed(text, range);
  if (whole === null) return [];
  const proposed = await splitRanges(text, whole, maxTokens, cutter);
  const pieces: Range[] = [];
  for (const piece of proposed) {
    if (cutter.pace.due) await cutter.pace.rest();
    if (tokensOf(text, piece, maxTokens, cutter) <= maxTokens) pieces.push(piece);
    else pieces.push(...(await charPieces(text, piece, maxTokens, cutter)));
  }
  return pieces;
}

/** Without the white space at its ends; null when there is nothing else. */
export function trimmed(text: string, { start, end }: Range): Range | null {
  const shorter = text.slice(start, end).trimStart();
  const from = end - shorter.length;
  const to = from + shorter.trimEnd().length;
  return from === to ? null : { start: from, end: to };
}

/** The tokens of a range, or at least some number above the limit. */
export function tokensOf(text: string, { start, end }: Range, limit: number, { count }: Cutter): number {
  return end - start > limit * MAX_CHARS_PER_TOKEN ? end - start : count(text.slice(start, end));
}

/** The splitter gives trimmed texts in their order, without places: each begins where the white space behind the one before it ends. */
async function splitRanges(text: string, range: Range, maxTokens: number, cutter: Cutter): Promise<Range[]> {
  const { RecursiveCharacterTextSplitter } = await import('@langchain/textsplitters');
  const splitter = new RecursiveCharacterTextSplitter({
    separators: SEPARATORS,
    keepSeparator: true,
    chunkSize: maxTokens,
    chunkOverlap: 0,
    lengthFunction: async part => {
      if (cutter.pace.due) await cutter.pace.rest();
      return tokensOf(part, { start: 0, end: part.length }, maxTokens, cutter);
    },
  });
  const ranges: Range[] = [];
  let at = range.start;
  for (const piece of await splitter.splitText(text.slice(range.start, range.end))) {
    const found = trimmed(piece, { start: 0, end: piece.length });
    if (found === null) continue;
    BLANK.lastIndex = at;
    const start = at + BLANK.exec(text)![0].length;
    const end = start + found.end - found.start;
    if (!text.startsWith(piece.slice(found.start, found.end), start)) return [range];
    ranges.push({ start, end });
    at = end;
  }
  return at === range.end ? ranges : [range];
}

async function charPieces(text: string, range: Range, maxTokens: number, cutter: Cutter): Promise<Range[]> {
  const pieces: Range[] = [];
  let start = range.start;
  while (start < range.end) {
    if (cutter.pace.due) await cutter.pace.rest();
    const end = fittingEnd(text, { start, end: range.end }, maxTokens, cutter);
    const piece = trimmed(text, { start, end });
    if (piece !== null) pieces.push(piece);
    start = end;
  }
  return pieces;
}

/** How far a piece from the start may reach; at least one character. */
function fittingEnd(text: string, { start, end }: Range, maxTokens: number, cutter: Cutter): number {
  let length = Math.min(end - start, maxTokens * 4);
  for (;;) {
    const stop = wholeCharacter(text, start + length, start);
    const tokens = tokensOf(text, { start, end: stop }, maxTokens, cutter);
    if (tokens <= maxTokens || length <= 2) return stop;
    length = Math.max(2, Math.floor((length * maxTokens * 0.98) / tokens));
  }
}

/** A place at or before this one, and after `start`, that is not within a pair of surrogates or a line break. */
function wholeCharacter(text: string, at: number, start: number): number {
  if (at >= text.length || at - 1 <= start) return at;
  const isPair = /[\uDC00-\uDFFF]/.test(text[at]) && /[\uD800-\uDBFF]/.test(text[at - 1]);
  return isPair || (text[at - 1] === '\r' && text[at] === '\n') ? at - 1 : at;
}
