import { Embeddings } from '@langchain/core/embeddings';
import { TailwaterClient } from '../../../src/client.ts';
import { HashProvider } from '../../../src/embeddings/index.ts';
import { serve, type TailwaterApi } from '../../../src/server/index.ts';
import { temporaryEngine } from '../../server/engine-support.ts';

/** Where the adapters are to work the same: in the process, and over HTTP. */
export const PLACES = ['embedded', 'over HTTP'] as const;

export async function withApi(place: (typeof PLACES)[number], work: (api: TailwaterApi) => Promise<void>): Promise<void> {
  await using engine = await temporaryEngine();
  if (place === 'embedded') return await work(engine.tailwater);
  const server = await serve(engine.tailwater.engine, { port: 0 });
  const client = new TailwaterClient({ url: server.url });
  try {
    await work(client);
  } finally {
    await client.close();
    await server.close();
  }
}

/** Real vectors that need no service: texts are near when they share words. */
export class LexicalEmbeddings extends Embeddings {
  readonly #provider = new HashProvider({ dimensions: 64 });
  /** Texts embedded so far. */
  texts = 0;

  constructor() {
    super({});
  }

  async embedDocuments(documents: string[]): Promise<number[][]> {
    this.texts += documents.length;
    const vectors = await this.#provider.embed(documents);
    return documents.map((_, index) => [...vectors.subarray(index * 64, (index + 1) * 64)]);
  }

  async embedQuery(document: string): Promise<number[]> {
    return (await this.embedDocuments([document]))[0];
  }
}
