import { connect, Index, rerankers, type Table } from '@lancedb/lancedb';
import { HashProvider } from '../../src/embeddings/index.ts';
import { LANCE_TEXT_INDEX } from '../../src/streams/index.ts';
import { filler } from './events.ts';

export const DIMENSIONS = 384;

/** A row of the bare LanceDB tables: what a user would store without Tailwater. */
export interface BareRow {
  [name: string]: unknown;
  id: number;
  text: string;
  vector: number[];
}

export function textOf(index: number): string {
  return `item${index} ${filler(index, 280)}`;
}

const provider = new HashProvider({ dimensions: DIMENSIONS });

/** The same vectors as Tailwater's default provider makes of the same texts. */
export function vectorOf(text: string): Float32Array {
  const vector = new Float32Array(DIMENSIONS);
  provider.embedInto(text, vector, 0);
  return vector;
}

export function bareRows(first: number, count: number): BareRow[] {
  return Array.from({ length: count }, (_, at) => {
    const text = textOf(first + at);
    return { id: first + at, text, vector: Array.from(vectorOf(text)) };
  });
}

export async function bareTable(folder: string, rows: number): Promise<Table> {
  const connection = await connect(folder);
  const table = await connection.createTable('bare', bareRows(0, Math.min(10_000, rows)));
  for (let first = 10_000; first < rows; first += 10_000) await table.add(bareRows(first, Math.min(10_000, rows - first)));
  return table;
}

/** The same indexes as Tailwater's tables, and nothing left unindexed. */
export async function indexAndOptimize(table: Table, vectorIndex: boolean): Promise<void> {
  await table.createIndex('text', {
    config: Index.fts(LANCE_TEXT_INDEX),
  });
  if (vectorIndex) await table.createIndex('vector', { config: Index.ivfFlat({ distanceType: 'cosine' }) });
  await table.optimize({ cleanupOlderThan: new Date(0) });
}

export async function bareHybrid(table: Table, text: string, limit: number): Promise<unknown[]> {
  reranker ??= await rerankers.RRFReranker.create();
  return table
    .query()
    .fullTextSearch(text)
    .nearestTo(vectorOf(text))
    .rerank(reranker)
    .select(['id', 'text'])
    .limit(limit)
    .toArray();
}

let reranker: Awaited<ReturnType<typeof rerankers.RRFReranker.create>> | null = null;
