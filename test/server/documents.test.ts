import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Tailwater } from '../../src/index.ts';
import { EmbeddingServer } from '../embeddings/embedding-server.ts';
import { contentHashOf, DOCS, markdown, readRows } from './documents-support.ts';
import { temporaryEngine } from './engine-support.ts';

/** Some 8 s on two idle cores. */
const SLOW_MS = 180_000;

type Change = { kind: 'put'; document: number; text: string } | { kind: 'delete'; document: number };

const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('put' as const), document: fc.integer({ min: 0, max: 1 }), text: markdown }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), document: fc.integer({ min: 0, max: 1 }) }) },
);
/** Changes under way at once, while readers read; then perhaps a compaction, or one among them. */
const step = fc.record({
  changes: fc.array(change, { minLength: 1, maxLength: 4 }),
  compact: fc.constantFrom('no', 'meanwhile', 'after'),
});

const idOf = (document: number): string => `guides/${document}.md`;

async function apply(tailwater: Tailwater, stream: string, { document, ...what }: Change): Promise<void> {
  if (what.kind === 'put') await tailwater.putDocument(stream, idOf(document), { markdown: what.text });
  else await tailwater.deleteDocument(stream, idOf(document)).catch(error => expect(error.code).toBe('TW_DOCUMENT_NOT_FOUND'));
}

describe('documents', () => {
  test('are seen whole at every moment, and the last writer wins wholly, whatever is written and compacted at once', {
    timeout: SLOW_MS,
  }, async () => {
    await using engine = await temporaryEngine();
    const { tailwater } = engine;
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 3 }),
        async (steps, partitions) => {
          const stream = `docs-${runs++}`;
          await tailwater.createStream(stream, { ...DOCS, partitions });
          const texts = new Map<string, string>();
          for (const { changes, compact } of steps) {
            for (const each of changes) if (each.kind === 'put') texts.set(contentHashOf(each.text), each.text);
            let running = true;
            const readers = [0, 1].map(async document => {
              while (running) await readRows(tailwater, stream, idOf(document), texts);
            });
            await Promise.all([
              ...changes.map(each => apply(tailwater, stream, each)),
              compact === 'meanwhile' && tailwater.compact(stream),
            ]);
            if (compact === 'after') await tailwater.compact(stream);
            running = false;
            await Promise.all(readers);
            for (const document of [0, 1]) await checkOutcome(tailwater, stream, document, changes, texts);
          }
          await tailwater.deleteStream(stream);
        },
      ),
      { numRuns: 12 },
    );
  });

  test('come back exactly as they were put, before and after compaction', async () => {
    await using engine = await temporaryEngine();
    const { tailwater } = engine;
    await tailwater.createStream('docs', DOCS);
    const texts = new Map<string, string>();
    const blank = fc.constantFrom(' ', '\n', '\r\n', '\n\n', '\uFEFF', '\t');
    const anyText = fc
      .array(fc.oneof(fc.string({ unit: 'binary' }), blank, markdown), { maxLength: 12 })
      .map(parts => parts.join(''));
    await fc.assert(
      fc.asyncProperty(anyText, fc.boolean(), async (text, plain) => {
        const id = `${texts.size}`;
        texts.set(id, text);
        await tailwater.putDocument('docs', id, plain ? { text } : { markdown: text });
        expect((await tailwater.getDocument('docs', id)).text).toBe(text);
      }),
      { numRuns: 60 },
    );
    await tailwater.compact('docs');
    for (const [id, text] of texts) {
      const found = await tailwater.getDocument('docs', id);
      expect(found).toMatchObject({ text, length: text.length, contentHash: contentHashOf(text) });
    }
  });

  test('that change in one section are embedded and written anew there alone, and cited at their new places', async () => {
    const service = await EmbeddingServer.start();
    try {
      await using engine = await temporaryEngine({ openai: { baseURL: service.baseURL, apiKey: 'k' } });
      const { tailwater } = engine;
      const embed = { fields: ['text'], provider: 'openai', model: 'm', dimensions: 8 };
      await tailwater.createStream('docs', { ...DOCS, embed });
      const embedded = async (): Promise<string[]> => {
        await tailwater.query('docs', { vector: [1, 0, 0, 0, 0, 0, 0, 0], mode: 'vector' });
        await expect
          .poll(
            async () => (await tailwater.query('docs', { vector: [1, 0, 0, 0, 0, 0, 0, 0], mode: 'vector' })).freshness.complete,
          )
          .toBe(true);
        return service.requests.splice(0).flatMap(request => request.input);
      };
      const sections = Array.from({ length: 20 }, (_, at) => `## Part ${at}\n\nWhat part ${at} says.`);
      const put = (parts: readonly string[], more: object = {}) =>
        tailwater.putDocument('docs', 'd', { markdown: parts.join('\n\n'), ...more });
      expect((await put(sections, { title: 'T' })).chunks).toEqual({ total: 20, added: 20, kept: 0, removed: 0 });
      expect((await embedded()).toSorted()).toEqual(sections.toSorted());

      expect(await put(sections, { title: 'T' })).toMatchObject({ unchanged: true, version: 1 });
      const before = await tailwater.getStream('docs');
      const changed = ['## New\n\nAn insertion above.', ...sections.with(7, '## Part 7\n\nIt says something else.')];
      expect((await put(changed, { title: 'T' })).chunks).toEqual({ total: 21, added: 2, kept: 19, removed: 1 });
      expect((await tailwater.getStream('docs')).head[0] - before.head[0], 'the manifest, two chunks, one deletion').toBe(4);
      expect((await embedded()).toSorted()).toEqual([changed[0], changed[8]].toSorted());
      await tailwater.compact('docs');

      const text = changed.join('\n\n');
      const { hits, freshness } = await tailwater.query('docs', { text: 'part 19 says', mode: 'text', limit: 1 });
      expect(hits[0].source).toMatchObject({
        document: 'd',
        title: 'T',
        heading: ['Part 19'],
        ranges: [{ start: text.indexOf('## Part 19') }],
      });
      expect(freshness.complete).toBe(true);
      expect(await embedded()).toEqual([]);
    } finally {
      await service.stop();
    }
  });

  test('whose title or metadata change are written anew, but embedded by what the service said before', async () => {
    const service = await EmbeddingServer.start();
    try {
      await using engine = await temporaryEngine({ openai: { baseURL: service.baseURL, apiKey: 'k' } });
      const { tailwater } = engine;
      await tailwater.createStream('docs', {
        ...DOCS,
        embed: { fields: ['text'], provider: 'openai', model: 'm', dimensions: 8 },
      });
      const put = (edition: number) => tailwater.putDocument('docs', 'd', { text: 'One chunk.', metadata: { edition } });
      await put(1);
      await expect.poll(() => service.requests.length).toBe(1);
      expect((await put(2)).chunks).toEqual({ total: 1, added: 1, kept: 0, removed: 0 });
      const { hits } = await tailwater.query('docs', { mode: 'text', text: 'chunk', filter: { 'metadata.edition': 2 } });
      expect(hits).toHaveLength(1);
      await expect
        .poll(
          async () => (await tailwater.query('docs', { vector: [1, 0, 0, 0, 0, 0, 0, 0], mode: 'vector' })).freshness.complete,
        )
        .toBe(true);
      expect(service.requests.flatMap(request => request.input)).toEqual(['One chunk.']);
    } finally {
      await service.stop();
    }
  });

  test('that say the same twice have one row with two places', async () => {
    await using engine = await temporaryEngine();
    const { tailwater } = engine;
    await tailwater.createStream('docs', DOCS);
    const text = '# A\n\nAs said.\n\n# B\n\nOnce.\n\n# A\n\nAs said.\n';
    expect((await tailwater.putDocument('docs', 'd', { markdown: text })).chunks.total).toBe(2);
    const { hits } = await tailwater.query('docs', { text: 'as said', mode: 'text' });
    expect(hits.map(hit => hit.source!.ranges.map(({ start }) => start))).toEqual([[0, text.lastIndexOf('# A')]]);
    expect((await tailwater.getDocument('docs', 'd')).text).toBe(text);
  });

  test('are changed only at the version that was read, if one is named', async () => {
    await using engine = await temporaryEngine();
    const { tailwater } = engine;
    await tailwater.createStream('docs', DOCS);
    const put = (text: string, ifVersion: number) => tailwater.putDocument('docs', 'd', { text }, { ifVersion });
    await expect(put('one', 1)).rejects.toMatchObject({ code: 'TW_VERSION_MISMATCH', data: { version: 0 } });
    const { version } = await put('one', 0);
    await expect(put('two', 0)).rejects.toMatchObject({ code: 'TW_VERSION_MISMATCH', data: { version } });
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map(text => put(text, version)));
    expect(outcomes.map(outcome => outcome.status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
    await expect(tailwater.deleteDocument('docs', 'd', { ifVersion: version })).rejects.toMatchObject({
      code: 'TW_VERSION_MISMATCH',
    });
  });

  test('are listed page by page in the order of their changes, those deleted not, tail and table alike', async () => {
    await using engine = await temporaryEngine();
    const { tailwater } = engine;
    await tailwater.createStream('docs', DOCS);
    const listed = async (): Promise<string[]> => {
      const ids: string[] = [];
      for (let after: string | null | undefined; after !== null; ) {
        const page = await tailwater.listDocuments('docs', { limit: 3, ...(after === undefined ? {} : { after }) });
        expect(page.documents.length).toBeLessThanOrEqual(3);
        ids.push(...page.documents.map(each => each.document));
        after = page.next;
      }
      return ids;
    };
    for (let at = 0; at < 10; at++) await tailwater.putDocument('docs', `d${at}`, { text: `text ${at}` });
    await tailwater.compact('docs');
    await tailwater.putDocument('docs', 'd3', { text: 'changed' });
    await tailwater.deleteDocument('docs', 'd5');
    const expected = ['d0', 'd1', 'd2', 'd4', 'd6', 'd7', 'd8', 'd9', 'd3'];
    expect(await listed()).toEqual(expected);
    await tailwater.compact('docs');
    expect(await listed()).toEqual(expected);
  });
});

/** What is there now is one of the texts whose writers were acknowledged, or nothing if a deletion was, or there was no writer. */
async function checkOutcome(
  tailwater: Tailwater,
  stream: string,
  document: number,
  changes: readonly Change[],
  texts: ReadonlyMap<string, string>,
): Promise<void> {
  const found = await readRows(tailwater, stream, idOf(document), texts);
  const own = changes.filter(each => each.document === document);
  const puts = own.flatMap(each => (each.kind === 'put' ? [each.text] : []));
  if (own.length > 0 && found !== null) expect(puts).toContain(found);
  if (own.length > 0 && found === null) expect(own.some(each => each.kind === 'delete')).toBe(true);
  const got = await tailwater.getDocument(stream, idOf(document)).catch(() => null);
  expect(got?.text ?? null).toBe(found);
}
