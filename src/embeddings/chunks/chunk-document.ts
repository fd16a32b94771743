import { type Clock, Pace } from '../../base/index.ts';
import { type Cutter, piecesOf, type Range, tokensOf, trimmed } from './pieces.ts';
import { markdownSections, markdownTitle, type Section } from './sections.ts';
import { tokenCounter } from './tokens.ts';

/** Both in tokens of o200k_base. */
interface ChunkLimits {
  chunkTokens: number;
  overlapTokens: number;
}

/** A chunk's place: its text is `source.slice(start, end)`, in UTF-16 code units. */
export interface DocumentChunk extends Range {
  /** The headings above it, outermost first. */
  heading: string[];
}

export interface CutDocument {
  /** Its highest heading; null without any. */
  title: string | null;
  /** By start. Together they have all of the text but white space. */
  chunks: DocumentChunk[];
}

/** Less than this part of a chunk is not worth one. */
const SMALL = 8;
/** Computing gives way to other work after this long. */
const SLICE_MS = 8;

/**
 * Cuts a text at its headings (Markdown), and sections into chunks of at most `chunkTokens`, of which each repeats the end of the one before it. The
 * same text and settings give the same chunks, and what changes in one section changes no chunk of another.
 */
export async function cutDocument(
  text: string,
  { markdown, chunkTokens, overlapTokens }: ChunkLimits & { markdown: boolean },
  clock: Clock,
): Promise<CutDocument> {
  const cutter = { count: await tokenCounter(), pace: new Pace(clock, SLICE_MS) };
  const sections = markdown ? markdownSections(text) : [{ start: 0, end: text.length, heading: [] }];
  const chunks: DocumentChunk[] = [];
  for (const section of sections) {
    for (const range of await cutSection(text, section, { chunkTokens, overlapTokens }, cutter)) {
      chunks.push({ ...range, heading: section.heading });
    }
  }
  return { title: markdown ? markdownTitle(text) : null, chunks };
}

async function cutSection(text: string, section: Section, settings: ChunkLimits, cutter: Cutter): Promise<Range[]> {
  const whole = trimmed(text, section);
  if (whole === null) return [];
  const { chunkTokens, overlapTokens } = settings;
  if (tokensOf(text, whole, chunkTokens, cutter) <= chunkTokens) return [whole];
  const reserve = Math.max(overlapTokens, Math.floor(chunkTokens / SMALL));
  const proposed = await piecesOf(text, whole, chunkTokens - reserve, cutter);
  const pieces = withoutSmall(text, proposed, reserve, chunkTokens, cutter);
  return pieces.map((piece, index) => (index === 0 ? piece : withOverlap(text, piece, pieces[index - 1], settings, cutter)));
}

/** A heading before a long paragraph, or the end of one, is no chunk of its own where it fits into the one beside it. */
function withoutSmall(text: string, pieces: readonly Range[], small: number, maxTokens: number, cutter: Cutter): Range[] {
  const isSmall = (piece: Range): boolean => tokensOf(text, piece, small, cutter) <= small;
  const kept: Range[] = [];
  for (const piece of pieces) {
    const before = kept.at(-1);
    const joined = before && { start: before.start, end: piece.end };
    const joins = joined && (isSmall(before) || isSmall(piece)) && tokensOf(text, joined, maxTokens, cutter) <= maxTokens;
    if (joins) kept[kept.length - 1] = joined;
    else kept.push(piece);
  }
  return kept;
}

/** Begins earlier, within the piece before: at a sentence or line if one begins within the overlap, else at a word. */
function withOverlap(text: string, piece: Range, before: Range, settings: ChunkLimits, cutter: Cutter): Range {
  const { chunkTokens, overlapTokens } = settings;
  if (overlapTokens === 0) return piece;
  const isShort = (start: number): boolean => tokensOf(text, { start, end: piece.start }, overlapTokens, cutter) <= overlapTokens;
  const fits = (start: number): boolean => tokensOf(text, { start, end: piece.end }, chunkTokens, cutter) <= chunkTokens;
  const words = wordStarts(text, { start: before.start, end: piece.start });
  const short = words.slice(firstThat(words, isShort));
  const starts = short.length > 0 && !fits(short[0]) ? short.slice(firstThat(short, fits)) : short;
  const start = starts.find(each => beginsSentence(text, each)) ?? starts[0] ?? piece.start;
  return { start, end: piece.end };
}

function wordStarts(text: string, { start, end }: Range): number[] {
  return [...text.slice(start, end).matchAll(/\s\S/g)].map(({ index }) => start + index + 1);
}

/** Whether a word begins a line, or follows the end of a sentence. */
function beginsSentence(text: string, wordStart: number): boolean {
  let at = wordStart - 1;
  while (at > 0 && /\s/.test(text[at])) {
    if (text[at] === '\n' || text[at] === '\r') return true;
    at--;
  }
  return /[.!?。！？]/.test(text[at]);
}

/** The index of the first of rising starts that fits, where those after one that fits do too. */
function firstThat(starts: readonly number[], fits: (start: number) => boolean): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fits(starts[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}
