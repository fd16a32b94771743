import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.ts';
import { tokenCounter } from '../../src/embeddings/chunks/tokens.ts';
import { type CutDocument, cutDocument, type DocumentChunk } from '../../src/embeddings/index.ts';

const SMALL = { markdown: true, chunkTokens: 40, overlapTokens: 10 };

function cut(text: string, settings: Partial<typeof SMALL> = {}): Promise<CutDocument> {
  return cutDocument(text, { ...SMALL, ...settings }, systemClock);
}

/** What no chunk holds: from the end of what came before to where a chunk begins. */
function gapsOf(text: string, chunks: readonly DocumentChunk[]): string[] {
  const gaps: string[] = [];
  let at = 0;
  for (const { start, end } of chunks) {
    if (start > at) gaps.push(text.slice(at, start));
    at = Math.max(at, end);
  }
  return [...gaps, text.slice(at)];
}

const WORDS = [
  'tide',
  'the',
  'lock keeper',
  'Straße',
  'naïve',
  '河流',
  '水门在黎明打开。',
  '👩‍👩‍👧‍👦',
  '🏳️‍🌈',
  'e\u0301',
  '\u202eright to left',
  'שלום',
  '\uFEFF',
  '\u0000',
  '<|endoftext|>',
  'a'.repeat(600),
  '日'.repeat(300),
  '😀'.repeat(90),
  '-'.repeat(300),
];
const BLANKS = [' ', '\n', '\n\n', '\r\n', '\r\n\r\n', '\r', '\t', '\u00a0', '\u2028', ' '.repeat(400), '\n'.repeat(300)];
const BLOCKS = [
  '# Harbour',
  '## Locks ##',
  '### ',
  '#### 船闸',
  'Tides\n===',
  'Gates\r\n---',
  '```sh\n# not a heading\n```',
  '~~~\n## open fence',
  '````md\n```\n# inside\n```\n````',
  '| a | b |\n|---|---|\n| 1 | 2 |',
  '---\ntitle: x\n---',
  '> quote\n---',
  '- item\n---',
  '    # code',
  '#hashtag',
  '```',
  '<!-- # -->',
];
const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom(...WORDS),
      fc.constantFrom(...BLANKS),
      fc.constantFrom(...BLOCKS),
      fc.string({ unit: 'binary', maxLength: 40 }),
    ),
    { maxLength: 60 },
  )
  .chain(parts => fc.constantFrom('', ' ', '\n', '\n\n', '\r\n').map(glue => parts.join(glue)));

describe('the chunks of a document', () => {
  let count: (text: string) => number;
  beforeAll(async () => {
    count = await tokenCounter();
  });

  test('hold all of any text but white space, in order, each within the limit and at its own place', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyText,
        fc.boolean(),
        fc.integer({ min: 32, max: 80 }),
        fc.integer({ min: 0, max: 16 }),
        async (text, markdown, chunkTokens, overlapTokens) => {
          const { chunks } = await cut(text, { markdown, chunkTokens, overlapTokens });
          for (const [index, { start, end }] of chunks.entries()) {
            const own = text.slice(start, end);
            expect(own).toBe(own.trim());
            expect(own).not.toBe('');
            expect(count(own)).toBeLessThanOrEqual(chunkTokens);
            expect(index === 0 || start > chunks[index - 1].start).toBe(true);
            expect(index === 0 || end > chunks[index - 1].end).toBe(true);
            if (text.isWellFormed()) expect(own.isWellFormed(), 'no character is cut in two').toBe(true);
          }
          for (const gap of gapsOf(text, chunks)) expect(gap.trim()).toBe('');
          expect(await cut(text, { markdown, chunkTokens, overlapTokens })).toEqual(
            await cut(text, { markdown, chunkTokens, overlapTokens }),
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  const headingsOf = async (text: string): Promise<string[]> => (await cut(text)).chunks.map(chunk => chunk.heading.join(' > '));

  test.each<[what: string, text: string, headings: string[]]>([
    ['levels', '# A\n\na\n\n### C\n\nc\n\n## B\n\nb', ['A', 'A > C', 'A > B']],
    ['text before the first', 'before\n\n# A\n\na', ['', 'A']],
    ['headings without a text go with what follows', '# A\n\n## B\n\nb\n\n# C', ['A > B', 'C']],
    ['closing marks, tabs, up to three spaces', '   #\tA ##\na\n## B#\nb', ['A', 'A > B#']],
    ['underlined', 'A\n===\na\n\nB\n---\nb', ['A', 'A > B']],
    ['no text of their own', '#\n\na\n\n## B\n\nb', ['', 'B']],
    ['CRLF and CR', '# A\r\na\r\n## B\r\nb\r# C\rc', ['A', 'A > B', 'C']],
    ['not in fences', '# A\n```\n# no\n~~~\n# no\n```\n## B\nb', ['A', 'A > B']],
    ['not in a fence that never ends', '# A\n~~~\n# no', ['A']],
    ['in what only looks like a fence', '``` a ` b\n# A\na', ['', 'A']],
    ['not in front matter', '---\ntitle: x\n# no\n---\n# A\na', ['', 'A']],
    [
      'not hashtags, code, tables, lists, quotes, rules',
      '#tag\n\n    # code\n\n| a |\n|---|\n| b |\n\n- a\n---\n> a\n---\na\nb\n---\n\n---',
      [''],
    ],
  ])('have the headings above them: %s', async (_what, text, headings) => {
    expect(await headingsOf(text)).toEqual(headings);
  });

  test('take the first of the highest headings for the title', async () => {
    const titleOf = async (text: string): Promise<string | null> => (await cut(text)).title;
    expect(await titleOf('## B\n\n# A\n\n# C')).toBe('A');
    expect(await titleOf('no heading')).toBeNull();
    expect((await cut('# A', { markdown: false })).title).toBeNull();
    expect((await titleOf(`# ${'x'.repeat(199)}😀`))!.isWellFormed()).toBe(true);
  });

  test('of a long section repeat the end of the one before them, from a sentence or a word on', async () => {
    const sentences = Array.from({ length: 40 }, (_, at) => `Sentence number ${at} ends here.`);
    const text = `# A\n\n${sentences.join(' ')}\n\n# B\n\nshort`;
    const { chunks } = await cut(text, { chunkTokens: 60, overlapTokens: 20 });
    const long = chunks.filter(chunk => chunk.heading[0] === 'A');
    expect(long.length).toBeGreaterThan(4);
    for (const [at, { start }] of long.entries()) {
      if (at === 0) continue;
      expect(start).toBeLessThan(long[at - 1].end);
      expect(text.slice(start)).toMatch(/^Sentence number/);
      expect(count(text.slice(start, long[at - 1].end))).toBeLessThanOrEqual(20);
    }
    expect(text.slice(long[0].start, long[0].end), 'a heading goes with what it is of').toMatch(/^# A\n\nSentence number 0/);
    expect(text.slice(chunks.at(-1)!.start)).toBe('# B\n\nshort');
    const without = await cut(text, { chunkTokens: 60, overlapTokens: 0 });
    for (const [at, { start }] of without.chunks.entries()) expect(at === 0 || start >= without.chunks[at - 1].end).toBe(true);
  });

  test('of a section do not depend on the others', async () => {
    const body = fc.array(fc.constantFrom(...WORDS.slice(0, 8)), { minLength: 1, maxLength: 60 }).map(words => words.join(' '));
    const textsOf = async (bodies: readonly string[]): Promise<Map<string, string[]>> => {
      const text = bodies.map((each, at) => `# Part ${at}\n\n${each}`).join('\n\n');
      const { chunks } = await cut(text);
      const texts = new Map<string, string[]>();
      for (const { heading, start, end } of chunks)
        texts.set(heading[0], [...(texts.get(heading[0]) ?? []), text.slice(start, end)]);
      return texts;
    };
    await fc.assert(
      fc.asyncProperty(fc.array(body, { minLength: 2, maxLength: 5 }), fc.nat(), body, async (bodies, at, other) => {
        const changed = at % bodies.length;
        const [before, after] = [await textsOf(bodies), await textsOf(bodies.with(changed, other))];
        for (const [part, texts] of before) if (part !== `Part ${changed}`) expect(after.get(part)).toEqual(texts);
      }),
      { numRuns: 40 },
    );
  });
});
