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
});
