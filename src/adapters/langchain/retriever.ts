import { Document } from '@langchain/core/documents';
import { BaseRetriever, type BaseRetrieverInput } from '@langchain/core/retrievers';
import { type JsonObject, valueAt } from '../../base/index.ts';
import type { QueryRequest } from '../../retrieval/index.ts';
import type { QueryHit, TailwaterApi } from '../../server/index.ts';
import type { Freshness } from '../../snapshot/index.ts';

export interface TailwaterRetrieverConfig extends BaseRetrieverInput {
  /** A `TailwaterClient` or an embedded `Tailwater`. */
  client: TailwaterApi;
  /** Any stream that declares `search` or `embed`. */
  stream: string;
  /** The part of a value that becomes the page content. Default: the stream's search fields, else those it embeds. */
  contentFields?: string[];
  /** How many; default 4. */
  k?: number;
  /** Default: hybrid where the stream can, else what it can. */
  mode?: QueryRequest['mode'];
  filter?: JsonObject;
  consistency?: QueryRequest['consistency'];
  recency?: QueryRequest['recency'];
  weights?: QueryRequest['weights'];
}

/** Where a document came from and how fresh its answer was; under `metadata.tailwater`. */
export interface TailwaterProvenance {
  stream: string;
  id: string;
  partition: number;
  offset: number;
  score: number;
  ranks: QueryHit['ranks'];
  tier: 'tail' | 'table';
  ageMs: number;
  freshness: Freshness;
  /** Names the instant of the answer: `consistency: {asOf: token}` gives it again. */
  token: string;
}

/** Hybrid retrieval from any stream, up to the last acknowledged record; every document says where it came from and how fresh it is. */
export class TailwaterRetriever extends BaseRetriever {
  lc_namespace = ['tailwater', 'retrievers'];
  readonly #config: TailwaterRetrieverConfig;
  #fields: Promise<string[]> | null = null;

  static override lc_name(): string {
    return 'TailwaterRetriever';
  }

  constructor(config: TailwaterRetrieverConfig) {
    super(config);
    this.#config = config;
  }

  override async _getRelevantDocuments(query: string): Promise<Document[]> {
    const { client, stream, k = 4, mode, filter, consistency, recency, weights } = this.#config;
    const given = { mode, filter, consistency, recency, weights };
    const asked = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    const fields = await this.#contentFields();
    const { hits, freshness, token } = await client.query(stream, { ...asked, text: query, limit: k });
    return hits.map(({ value, id, partition, offset, score, ranks, tier, ageMs }) => {
      const tailwater: TailwaterProvenance = {
        stream,
        id,
        partition,
        offset,
        score,
        ranks,
        tier,
        ageMs,
        freshness,
        token,
      };
      return new Document({ id, pageContent: contentOf(value, fields), metadata: { ...value, tailwater } });
    });
  }

  #contentFields(): Promise<string[]> {
    const { client, stream, contentFields } = this.#config;
    if (contentFields !== undefined) return Promise.resolve(contentFields);
    this.#fields ??= client.getStream(stream).then(({ definition: { search, embed } }) => search?.fields ?? embed?.fields ?? []);
    this.#fields.catch(() => {
      this.#fields = null;
    });
    return this.#fields;
  }
}

function contentOf(value: JsonObject, fields: readonly string[]): string {
  const pieces = fields.map(field => valueAt(value, field)).filter(piece => piece !== undefined && piece !== null);
  return pieces.map(piece => (typeof piece === 'string' ? piece : JSON.stringify(piece))).join('\n');
}
