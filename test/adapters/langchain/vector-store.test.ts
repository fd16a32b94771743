import { Document } from '@langchain/core/documents';
import { index } from '@langchain/core/indexing';
import { maximalMarginalRelevance } from '@langchain/core/utils/math';
import { describe, expect, test } from 'vitest';
import { TailwaterRecordManager, TailwaterVectorStore } from '../../../src/adapters/langchain/index.ts';
import { VirtualClock } from '../../harness/virtual-clock.ts';
import { LexicalEmbeddings, PLACES, withApi } from './support.ts';
import { type Store, vectorStoreSuite } from './vector-store-suite.ts';

const TEXTS = [
  'the tide is high',
  'the tide is low',
  'the tide is high today',
  'an anchor of iron',
  'a mast of pine',
  'iron and pine',
];

describe.each(PLACES)('TailwaterVectorStore, %s', place => {
  describe.each(['store', 'stream'] as const)('embedding by the %s', embedBy => {
    vectorStoreSuite(work =>
      withApi(place, client =>
        work(new TailwaterVectorStore(new LexicalEmbeddings(), { client, stream: 'docs', embedBy }) as unknown as Store),
      ),
    );

    test('is the same before and after compaction', () =>
      withApi(place, async client => {
        const store = new TailwaterVectorStore(new LexicalEmbeddings(), { client, stream: 'docs', embedBy });
        await store.addDocuments(
          TEXTS.map(pageContent => new Document({ pageContent, metadata: {} })),
          { ids: TEXTS.map((_, at) => `t${at}`) },
        );
        const before = await store.similaritySearchWithScore('the tide', 4);
        await client.compact('docs', { full: true });
        const after = await store.similaritySearchWithScore('the tide', 4);
        expect(after.map(([{ id }]) => id)).toEqual(before.map(([{ id }]) => id));
        for (const [at, [, score]] of after.entries()) expect(score).toBeCloseTo(before[at][1], 5);
      }));

    test('filters by metadata, and deletes by it', () =>
      withApi(place, async client => {
        const store = new TailwaterVectorStore(new LexicalEmbeddings(), { client, stream: 'docs', embedBy });
        const metadata = (at: number) => ({ year: 2020 + at, kind: at % 2 === 0 ? 'even' : 'odd', at: { deep: at } });
        await store.addDocuments(TEXTS.map((pageContent, at) => new Document({ pageContent, metadata: metadata(at) })));
        const years = async (filter: object) =>
          (await store.similaritySearch('the tide', 10, filter as never)).map(({ metadata: { year } }) => year).sort();
        expect(await years({ kind: 'odd' })).toEqual([2021, 2023, 2025]);
        expect(await years({ kind: 'odd', year: { $gte: 2022 } })).toEqual([2023, 2025]);
        expect(await years({ $or: [{ year: 2020 }, { $not: { 'at.deep': { $lt: 5 } } }] })).toEqual([2020, 2025]);
        await store.delete({ filter: { kind: 'odd' } });
        expect(await years({})).toEqual([2020, 2022, 2024]);
      }));

    test('chooses by maximal marginal relevance what the formula chooses', () =>
      withApi(place, async client => {
        const embeddings = new LexicalEmbeddings();
        const store = new TailwaterVectorStore(embeddings, { client, stream: 'docs', embedBy });
        await store.addDocuments(TEXTS.map(pageContent => new Document({ pageContent, metadata: {} })));
        for (const lambda of [0, 0.3, 1]) {
          const found = await store.maxMarginalRelevanceSearch('the tide is high', { k: 3, fetchK: 6, lambda });
          const near = await store.similaritySearch('the tide is high', 6);
          const texts = near.map(({ pageContent }) => pageContent);
          const vectors = await embeddings.embedDocuments(texts);
          const expected = maximalMarginalRelevance(await embeddings.embedQuery('the tide is high'), vectors, lambda, 3);
          expect(found.map(({ pageContent }) => pageContent)).toEqual(expected.map(at => texts[at]));
        }
      }));
  });

  test('refuses what cannot be meant', () =>
    withApi(place, async client => {
      const store = new TailwaterVectorStore(new LexicalEmbeddings(), { client, stream: 'docs' });
      await expect(store.addVectors([[1, 2]], [])).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
      await expect(store.delete({})).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
      await store.addDocuments([new Document({ pageContent: 'a', metadata: {} })]);
      await expect(store.addVectors([[1, 2]], [new Document({ pageContent: 'b', metadata: {} })])).rejects.toThrow(
        /TW_VECTOR_LENGTH/,
      );
    }));

  test('LangChain’s indexing skips what is there and cleans up what is gone', () =>
    withApi(place, async client => {
      const embeddings = new LexicalEmbeddings();
      const vectorStore = new TailwaterVectorStore(embeddings, { client, stream: 'docs' });
      const clock = new VirtualClock();
      const recordManager = new TailwaterRecordManager({ client, stream: 'index', namespace: 'docs', clock });
      await recordManager.createSchema();
      const sources = (texts: readonly string[]) =>
        texts.map(pageContent => new Document({ pageContent, metadata: { source: 'a.md' } }));
      const run = async (texts: readonly string[]) => {
        await clock.advance(1000);
        const { numAdded, numSkipped, numDeleted } = await index({
          docsSource: sources(texts),
          recordManager,
          vectorStore,
          options: { cleanup: 'incremental', sourceIdKey: 'source' },
        });
        return { numAdded, numSkipped, numDeleted };
      };
      expect(await run(TEXTS)).toEqual({ numAdded: 6, numSkipped: 0, numDeleted: 0 });
      const embedded = embeddings.texts;
      expect(await run(TEXTS)).toEqual({ numAdded: 0, numSkipped: 6, numDeleted: 0 });
      expect(embeddings.texts).toBe(embedded);
      expect(await run([...TEXTS.slice(2), 'a new reef'])).toEqual({ numAdded: 1, numSkipped: 4, numDeleted: 2 });
      const texts = (await vectorStore.similaritySearch('tide', 10)).map(({ pageContent }) => pageContent).sort();
      expect(texts).toEqual([...TEXTS.slice(2), 'a new reef'].sort());
    }));
});
