import type { Document, DocumentInterface } from '@langchain/core/documents';
import type { EmbeddingsInterface } from '@langchain/core/embeddings';
import { maximalMarginalRelevance } from '@langchain/core/utils/math';
import { type MaxMarginalRelevanceSearchOptions, VectorStore } from '@langchain/core/vectorstores';
import { type JsonObject, type Random, randomUuid, systemRandom, TailwaterError } from '../../base/index.ts';
import type { QueryRequest } from '../../retrieval/index.ts';
import type { QueryHit, TailwaterApi } from '../../server/index.ts';
import type { StreamSettings } from '../../streams/index.ts';
import { appendAll, deleteRows, ensureStream, rowsOf } from '../rows/index.ts';
import { documentOf, recordOf, rowFilter } from './document-rows.ts';

export interface TailwaterVectorStoreConfig {
  /** A `TailwaterClient` or an embedded `Tailwater`. */
  client: TailwaterApi;
  /** An upsert stream; made at the first use when it is not there. */
  stream: string;
  /**
   * `store` (default): vectors are computed by this store's `embeddings` and written with the documents. `stream`: the stream embeds the
   * texts itself, also those that others write; `embeddings` then only compares candidates with each other, for maximal marginal relevance.
   */
  embedBy?: 'store' | 'stream';
  /** What a new stream has beyond `kind`, `key`, `search` and `embed`; with `embedBy: "stream"`, `embed` too. */
  settings?: Omit<StreamSettings, 'kind' | 'key'>;
  random?: Random;
}

interface Candidate {
  hit: QueryHit;
  document: Document;
}

const DEFAULT_FETCH = 20;
const MAX_ROWS = 1000;

/**
 * LangChain's vector store over an upsert stream of {id, text, metadata, vector}: documents are found as soon as they are added, an id
 * that is added again replaces its document, and every other reader of the stream (SQL, scans, contexts) sees the same rows.
 * Filters are over the metadata: `{source: "a.md"}`, `{year: {$gte: 2020}}`, `{$or: […]}`.
 */
export class TailwaterVectorStore extends VectorStore {
  declare FilterType: JsonObject;
  readonly #config: TailwaterVectorStoreConfig;
  #ready: Promise<void> | null = null;

  constructor(embeddings: EmbeddingsInterface, config: TailwaterVectorStoreConfig) {
    super(embeddings, { stream: config.stream });
    this.#config = config;
  }

  static override async fromTexts(
    texts: string[],
    metadatas: object[] | object,
    embeddings: EmbeddingsInterface,
    config: TailwaterVectorStoreConfig,
  ): Promise<TailwaterVectorStore> {
    const documents = texts.map((pageContent, index) => ({
      pageContent,
      metadata: (Array.isArray(metadatas) ? metadatas[index] : metadatas) ?? {},
    }));
    return TailwaterVectorStore.fromDocuments(documents, embeddings, config);
  }

  static override async fromDocuments(
    documents: DocumentInterface[],
    embeddings: EmbeddingsInterface,
    config: TailwaterVectorStoreConfig,
  ): Promise<TailwaterVectorStore> {
    const store = new TailwaterVectorStore(embeddings, config);
    await store.addDocuments(documents);
    return store;
  }

  override _vectorstoreType(): string {
    return 'tailwater';
  }

  /** Returns the ids: those given, else the documents' own, else new ones. An id written before is replaced. */
  override async addDocuments(documents: DocumentInterface[], options: { ids?: string[] } = {}): Promise<string[]> {
    if (documents.length === 0) return [];
    if (this.#config.embedBy === 'stream') return this.#write(null, documents, options);
    const vectors = await this.embeddings.embedDocuments(documents.map(({ pageContent }) => pageContent));
    return this.addVectors(vectors, documents, options);
  }

  /** As `addDocuments`, with the vectors at hand. TW_BAD_REQUEST when the stream embeds by itself. */
  override async addVectors(
    vectors: number[][],
    documents: DocumentInterface[],
    options: { ids?: string[] } = {},
  ): Promise<string[]> {
    if (this.#config.embedBy === 'stream') throw bad('This stream embeds its texts itself: add documents, without vectors.');
    if (vectors.length !== documents.length) throw bad(`There are ${vectors.length} vectors and ${documents.length} documents.`);
    return documents.length === 0 ? [] : this.#write(vectors, documents, options);
  }

  /** By ids, or everything that a filter over the metadata finds. Ids without a document are not an error. */
  override async delete(which: { ids?: string[]; filter?: JsonObject }): Promise<void> {
    const { ids, filter } = which;
    if ((ids === undefined) === (filter === undefined)) throw bad('Give either `ids` or `filter`: what is to be deleted?');
    await this.#open(null);
    const { client, stream } = this.#config;
    if (ids !== undefined) return deleteRows(client, stream, ids);
    for (;;) {
      const request: QueryRequest = { mode: 'filter', filter: rowFilter(filter!), limit: MAX_ROWS, select: ['id'] };
      const { hits } = await client.query(stream, request);
      await deleteRows(
        client,
        stream,
        hits.map(({ id }) => id),
      );
      if (hits.length < MAX_ROWS) return;
    }
  }

  /** Those that are there, in the order of the ids. */
  async getByIds(ids: string[]): Promise<Document[]> {
    await this.#open(null);
    const rows = await rowsOf(this.#config.client, this.#config.stream, ids);
    return rows.flatMap((row, index) => (row === null ? [] : [documentOf(ids[index], row.record.value as JsonObject)]));
  }

  override async similaritySearchVectorWithScore(query: number[], k: number, filter?: JsonObject): Promise<[Document, number][]> {
    return scored(await this.#search({ vector: query, mode: 'vector' }, k, filter));
  }

  override async similaritySearchWithScore(query: string, k = 4, filter?: JsonObject): Promise<[Document, number][]> {
    return scored(await this.#search(await this.#nearTo(query), k, filter));
  }

  override async similaritySearch(query: string, k = 4, filter?: JsonObject): Promise<Document[]> {
    return (await this.#search(await this.#nearTo(query), k, filter)).map(({ document }) => document);
  }

  /** By maximal marginal relevance (Carbonell, Goldstein 1998): each next document is near the query and unlike those before it. */
  override async maxMarginalRelevanceSearch(
    query: string,
    { k, fetchK = Math.max(DEFAULT_FETCH, k), lambda = 0.5, filter }: MaxMarginalRelevanceSearchOptions<JsonObject>,
  ): Promise<Document[]> {
    const vector = await this.embeddings.embedQuery(query);
    const byStream = this.#config.embedBy === 'stream';
    const near = byStream ? { text: query, mode: 'vector' as const } : { vector, mode: 'vector' as const };
    const candidates = await this.#search(near, Math.max(fetchK, k), filter, byStream ? [] : ['vector']);
    const vectors = byStream
      ? await this.embeddings.embedDocuments(candidates.map(({ document }) => document.pageContent))
      : candidates.map(({ hit }) => hit.value.vector as number[]);
    return maximalMarginalRelevance(vector, vectors, lambda, k).map(index => candidates[index].document);
  }

  async #nearTo(query: string): Promise<Partial<QueryRequest>> {
    if (this.#config.embedBy === 'stream') return { text: query, mode: 'vector' };
    return { vector: await this.embeddings.embedQuery(query), mode: 'vector' };
  }

  async #search(near: Partial<QueryRequest>, k: number, filter?: JsonObject, more: string[] = []): Promise<Candidate[]> {
    if (k <= 0) return [];
    await this.#open(near.vector?.length ?? null);
    const { client, stream } = this.#config;
    const where = filter === undefined || Object.keys(filter).length === 0 ? {} : { filter: rowFilter(filter) };
    const { hits } = await client.query(stream, { ...near, ...where, limit: k, select: ['text', 'metadata', ...more] });
    return hits.map(hit => ({ hit, document: documentOf(hit.id, hit.value) }));
  }

  async #write(vectors: number[][] | null, documents: DocumentInterface[], options: { ids?: string[] }): Promise<string[]> {
    const { client, stream, random = systemRandom } = this.#config;
    if (options.ids !== undefined && options.ids.length !== documents.length)
      throw bad(`There are ${options.ids.length} ids and ${documents.length} documents.`);
    await this.#open(vectors?.[0].length ?? null);
    const ids = documents.map((document, index) => options.ids?.[index] ?? document.id ?? randomUuid(random));
    await appendAll(
      client,
      stream,
      documents.map((document, index) => recordOf(document, ids[index], vectors?.[index] ?? null)),
    );
    return ids;
  }

  /** How long its vectors are is known at the first vector: until then a stream of given vectors cannot be made. */
  async #open(dimensions: number | null): Promise<void> {
    this.#ready ??= this.#ensure(dimensions);
    try {
      await this.#ready;
    } catch (error) {
      this.#ready = null;
      throw error;
    }
  }

  async #ensure(dimensions: number | null): Promise<void> {
    const { client, stream, settings, embedBy } = this.#config;
    const length = dimensions ?? (embedBy === 'stream' ? null : (await this.embeddings.embedQuery('length')).length);
    const embed = length === null ? { fields: ['text'] } : { fields: ['vector'], provider: 'given', dimensions: length };
    await ensureStream(client, stream, () => ({ search: { fields: ['text'] }, embed, ...settings, kind: 'upsert', key: 'id' }));
  }
}

function scored(candidates: readonly Candidate[]): [Document, number][] {
  return candidates.map(({ hit, document }) => [document, hit.score]);
}

function bad(detail: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail });
}
