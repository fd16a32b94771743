/** A part of a text, [start, end) in UTF-16 code units, below one path of headings. */
export interface Section {
  start: number;
  end: number;
  /** Outermost first. */
  heading: string[];
}

interface Line {
  start: number;
  text: string;
}

interface Heading {
  start: number;
  /** Where the text below it begins. */
  bodyStart: number;
  level: number;
  text: string;
}

/** Chunks repeat the headings above them. */
const MAX_HEADING_CHARS = 200;
const FENCE = /^ {0,3}(`{3,}|~{3,})([^\r]*)$/;
const ATX = /^ {0,3}(#{1,6})(?=[ \t]|$)/;
const UNDERLINE = /^ {0,3}(=+|-+)[ \t]*$/;
/** What an underline does not make a heading of: lists, quotes, tables, indented code, other blocks. */
const NOT_A_PARAGRAPH = /^(?: {4}|\t| {0,3}(?:[-*+>|#]|\d{1,9}[.)]|`{3}|~{3}))/;

/** Markdown cut at its headings; of headings without a text between them the last one counts. Any text is Markdown. Pure. */
export function markdownSections(text: string): Section[] {
  const path: Heading[] = [];
  const sections: Section[] = [];
  let current: Section = { start: 0, end: text.length, heading: [] };
  let bodyStart = 0;
  for (const heading of headingsOf(text)) {
    while (path.length > 0 && path[path.length - 1].level >= heading.level) path.pop();
    path.push(heading);
    const names = path.map(each => each.text).filter(name => name !== '');
    const isEmpty = text.slice(bodyStart, heading.start).trim() === '';
    if (!isEmpty) sections.push({ ...current, end: heading.start });
    current = { start: isEmpty ? current.start : heading.start, end: text.length, heading: names };
    bodyStart = heading.bodyStart;
  }
  return [...sections, current];
}

/** The first heading of the highest level there is. */
export function markdownTitle(text: string): string | null {
  let first: Heading | null = null;
  for (const heading of headingsOf(text)) {
    if (heading.text !== '' && (first === null || heading.level < first.level)) first = heading;
  }
  return first?.text ?? null;
}

function headingsOf(text: string): Heading[] {
  const lines = linesOf(text);
  const headings: Heading[] = [];
  let fence: string | null = null;
  for (let at = frontMatterLines(lines); at < lines.length; at++) {
    const line = lines[at];
    const marks = FENCE.exec(line.text);
    if (fence !== null) {
      if (marks?.[1].startsWith(fence) && marks[2].trim() === '') fence = null;
      continue;
    }
    if (marks !== null && !(marks[1][0] === '`' && marks[2].includes('`'))) {
      fence = marks[1];
      continue;
    }
    const bodyStart = lines[at + 1]?.start ?? text.length;
    const level = ATX.exec(line.text);
    if (level !== null) {
      headings.push({ start: line.start, bodyStart, level: level[1].length, text: atxText(line.text.slice(level[0].length)) });
    } else if (isUnderlined(lines, at)) {
      const above = lines[at - 1];
      headings.push({ start: above.start, bodyStart, level: line.text.includes('=') ? 1 : 2, text: clipped(above.text.trim()) });
    }
  }
  return headings;
}

/** An underline makes a heading of a paragraph of one line. */
function isUnderlined(lines: readonly Line[], at: number): boolean {
  if (at === 0 || !UNDERLINE.test(lines[at].text)) return false;
  const above = lines[at - 1].text;
  const before = at === 1 ? '' : lines[at - 2].text;
  return above.trim() !== '' && !NOT_A_PARAGRAPH.test(above) && (before.trim() === '' || ATX.test(before));
}

/** How many lines at the start are metadata between `---` and `---`. */
function frontMatterLines(lines: readonly Line[]): number {
  if (lines[0]?.text.replace(/^\uFEFF/, '').trimEnd() !== '---') return 0;
  const end = lines.findIndex((line, at) => at > 0 && /^(---|\.\.\.)\s*$/.test(line.text));
  return end === -1 ? 0 : end + 1;
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  const breaks = /\r\n|\n|\r/g;
  let start = 0;
  for (const { 0: mark, index } of text.matchAll(breaks)) {
    lines.push({ start, text: text.slice(start, index) });
    start = index + mark.length;
  }
  lines.push({ start, text: text.slice(start) });
  return lines;
}

function atxText(rest: string): string {
  const text = rest.trim();
  const marks = /(?:^|[ \t])#+$/.exec(text);
  return clipped(marks === null ? text : text.slice(0, marks.index).trim());
}

/** Not within a pair of surrogates. */
function clipped(text: string): string {
  return text
    .slice(0, MAX_HEADING_CHARS)
    .replace(/[\uD800-\uDBFF]$/, '')
    .trim();
}
