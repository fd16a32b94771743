import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { QueryHit, StreamSettings, Tailwater } from '../../src/index.ts';

export const DOCS: StreamSettings = {
  kind: 'upsert',
  documents: { chunkTokens: 32, overlapTokens: 8 },
  search: { fields: ['title', 'heading', 'text'] },
  embed: { fields: ['text'] },
};

export function contentHashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

const SENTENCES = [
  'Boats wait for the tide.',
  'The keeper opens at dawn.',
  'Rain on the river!',
  '水门在黎明打开。',
  'Ropes, 40 m, are 👩‍🚀 dry.',
];
const section = fc
  .tuple(
    fc.constantFrom('# Harbour', '## Locks', '## Tides', '', '```\n# no heading\n```'),
    fc.array(fc.constantFrom(...SENTENCES), { maxLength: 12 }),
  )
  .map(([heading, sentences]) => `${heading}\n\n${sentences.join(' ')}`);

/** Documents that have sections, sentences and whole paragraphs in common. */
export const markdown: fc.Arbitrary<string> = fc.array(section, { maxLength: 6 }).map(sections => sections.join('\n\n'));

/** What a reader saw of one document at one instant: the text it is of, or null when it was not there. */
export async function readRows(
  tailwater: Tailwater,
  stream: string,
  id: string,
  texts: ReadonlyMap<string, string>,
): Promise<string | null> {
  const filter = { $or: [{ document: id }, { 'manifest.document': id }] };
  const { hits, freshness } = await tailwater.query(stream, { mode: 'filter', filter, limit: 1000 });
  expect(freshness.complete).toBe(true);
  if (hits.length === 0) return null;
  const manifests = hits.filter(hit => hit.id === id);
  expect(manifests).toHaveLength(1);
  const text = texts.get((manifests[0].value.manifest as { contentHash: string }).contentHash);
  expect(text, 'the text of some version').toBeDefined();
  const chunks = hits.filter(hit => hit.id !== id);
  checkChunks(chunks, text!);
  expect(coveredText(chunks, text!)).toBe(text!.replaceAll(/\s/g, ''));
  return text!;
}

/** Every chunk is the text at each place that its source names. */
function checkChunks(hits: readonly QueryHit[], text: string): void {
  for (const { value, source } of hits) {
    expect(source!.ranges.length).toBeGreaterThan(0);
    for (const { start, end } of source!.ranges) expect(text.slice(start, end)).toBe(value.text);
    expect(source!.heading).toEqual(value.heading ?? []);
  }
}

/** What the chunks hold, each character once, without white space. */
function coveredText(hits: readonly QueryHit[], text: string): string {
  const covered = new Uint8Array(text.length);
  for (const { start, end } of hits.flatMap(hit => hit.source!.ranges)) covered.fill(1, start, end);
  return text
    .split('')
    .filter((unit, at) => covered[at] === 1 && !/\s/.test(unit))
    .join('');
}
