import { Document } from '@langchain/core/documents';
import type { VectorStore } from '@langchain/core/vectorstores';
import { expect, test } from 'vitest';

/** A vector store that also finds documents by id. */
export type Store = Omit<VectorStore, 'addDocuments'> & {
  addDocuments(documents: Document[], options?: { ids?: string[] }): Promise<string[]>;
  getByIds(ids: string[]): Promise<Document[]>;
};

const FOO = { pageContent: 'foo', metadata: { id: 1 } };
const BAR = { pageContent: 'bar', metadata: { id: 2 } };

const docs = (...values: { pageContent: string; metadata: object }[]): Document[] => values.map(value => new Document(value));
const plain = (found: readonly { pageContent: string; metadata: object }[]) =>
  found.map(({ pageContent, metadata }) => ({ pageContent, metadata }));
const byText = (found: readonly { pageContent: string; metadata: object }[]) =>
  plain(found).sort((a, b) => (a.pageContent < b.pageContent ? -1 : 1));

/**
 * What LangChain expects of every vector store: the cases of langchain-tests (Python, `integration_tests/vectorstores.py`) as facts, for
 * `withStore` to run on a store that is empty.
 */
export function vectorStoreSuite(withStore: (work: (store: Store) => Promise<void>) => Promise<void>): void {
  const onEmpty = (name: string, work: (store: Store) => Promise<void>) => test(name, () => withStore(work));

  onEmpty('is empty at first', async store => {
    expect(await store.similaritySearch('foo', 1)).toEqual([]);
  });

  onEmpty('finds what was added, nearest first, and returns its ids', async store => {
    const ids = await store.addDocuments(docs(FOO, BAR));
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(2);
    expect(plain(await store.similaritySearch('bar', 2))).toEqual([BAR, FOO]);
  });

  onEmpty('deletes by id, one and several', async store => {
    const third = { pageContent: 'baz', metadata: { id: 3 } };
    await store.addDocuments(docs(FOO, BAR, third), { ids: ['1', '2', '3'] });
    await store.delete({ ids: ['1'] });
    expect(byText(await store.similaritySearch('foo', 5))).toEqual([BAR, third]);
    await store.delete({ ids: ['2', '3'] });
    expect(await store.similaritySearch('foo', 5)).toEqual([]);
  });

  onEmpty('takes the deletion of what is not there for done', async store => {
    await store.addDocuments(docs(FOO), { ids: ['1'] });
    await store.delete({ ids: ['1000'] });
    expect(plain(await store.similaritySearch('foo', 1))).toEqual([FOO]);
  });

  onEmpty('holds a document once, however often its id is added', async store => {
    for (let time = 0; time < 2; time++) await store.addDocuments(docs(FOO, BAR), { ids: ['1', '2'] });
    expect(plain(await store.similaritySearch('bar', 5))).toEqual([BAR, FOO]);
  });

  onEmpty('replaces a document whose id is added again', async store => {
    await store.addDocuments(docs(FOO, BAR), { ids: ['1', '2'] });
    const changed = { pageContent: 'new foo', metadata: { id: 1, some_other_field: 'foo' } };
    await store.addDocuments(docs(changed), { ids: ['1'] });
    expect(plain(await store.similaritySearch('new foo', 2))).toEqual([changed, BAR]);
  });

  onEmpty('gets by id, in the order asked for, and knows what is not there', async store => {
    await store.addDocuments(docs(FOO, BAR), { ids: ['1', '2'] });
    const found = await store.getByIds(['2', '1', 'none']);
    expect(found.map(({ id, pageContent }) => [id, pageContent])).toEqual([
      ['2', 'bar'],
      ['1', 'foo'],
    ]);
    expect(await store.getByIds(['a', 'b'])).toEqual([]);
  });

  onEmpty('gives ids where none were given, and documents their own', async store => {
    const ids = await store.addDocuments([...docs(FOO), new Document({ ...BAR, id: 'mine' })]);
    expect(ids[1]).toBe('mine');
    expect((await store.getByIds(ids)).map(({ pageContent }) => pageContent)).toEqual(['foo', 'bar']);
  });

  onEmpty('adds nothing and everything', async store => {
    expect(await store.addDocuments([])).toEqual([]);
    const many = Array.from({ length: 300 }, (_, at) => new Document({ pageContent: `word${at} tide`, metadata: { at } }));
    const ids = await store.addDocuments(many);
    expect(await store.getByIds(ids.slice(-1))).toHaveLength(1);
    expect((await store.similaritySearch('word7 tide', 1))[0].metadata).toEqual({ at: 7 });
  });
}
