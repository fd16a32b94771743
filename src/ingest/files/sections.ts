/** Sections longer than this are cut at paragraphs, and paragraphs at spaces. */
const MAX_SECTION_CHARS = 2000;

/** A piece of prose that is one record. */
export interface Section {
  /** `path#n`: unique within the source, the same for the same content. */
  id: string;
  path: string;
  /** The first heading of the document, else its path. */
  title: string;
  /** The headings above the text, outermost first, joined with " > ". */
  section: string;
  text: string;
  /** One-based line where the section begins. */
  line: number;
}

interface Block {
  section: string;
  text: string;
  line: number;
}

/** Cuts a document at its headings (Markdown) and into pieces of bounded size. Pure. */
export function sectionsOf(text: string, path: string, markdown: boolean): Section[] {
  const blocks = markdown ? markdownBlocks(text) : [{ section: '', text, line: 1 }];
  const title = blocks.find(block => block.section !== '')?.section.split(' > ')[0] ?? path;
  const pieces = blocks.flatMap(block => cut(block.text).map(piece => ({ ...block, text: piece })));
  return pieces.map((piece, index) => ({
    id: `${path}#${index}`,
    path,
    title,
    section: piece.section,
    text: piece.text,
    line: piece.line,
  }));
}

function markdownBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  const headings: string[] = [];
  let current: { lines: string[]; line: number } = { lines: [], line: 1 };
  let fenced = false;
  const flush = () => {
    const body = current.lines.join('\n').trim();
    const section = headings.filter(heading => heading !== undefined && heading !== '').join(' > ');
    if (body !== '') blocks.push({ section, text: body, line: current.line });
  };
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
    const heading = fenced ? null : /^(#{1,6})\s+(.+?)\s*#*\s*$/.exec(line);
    if (heading === null) {
      current.lines.push(line);
      continue;
    }
    flush();
    const level = heading[1].length;
    headings.length = level - 1;
    for (let above = 0; above < level - 1; above++) headings[above] ??= '';
    headings[level - 1] = heading[2];
    current = { lines: [line], line: index + 1 };
  }
  flush();
  return blocks;
}

function cut(text: string): string[] {
  const pieces: string[] = [];
  let piece = '';
  for (const paragraph of text.split(/\n\s*\n/).flatMap(splitLong)) {
    if (piece !== '' && piece.length + paragraph.length + 2 > MAX_SECTION_CHARS) {
      pieces.push(piece);
      piece = '';
    }
    piece = piece === '' ? paragraph : `${piece}\n\n${paragraph}`;
  }
  if (piece.trim() !== '') pieces.push(piece);
  return pieces;
}

function splitLong(paragraph: string): string[] {
  const parts: string[] = [];
  let rest = paragraph;
  while (rest.length > MAX_SECTION_CHARS) {
    const space = rest.lastIndexOf(' ', MAX_SECTION_CHARS);
    const at = space > MAX_SECTION_CHARS / 2 ? space : MAX_SECTION_CHARS;
    parts.push(rest.slice(0, at));
    rest = rest.slice(at).trimStart();
  }
  return [...parts, rest];
}
