import { isJsonObject } from '../../base/index.ts';
import type { TableRow, TableRows, TableSchema } from '../../lakehouse/index.ts';
import { embedText, type StreamDefinition, searchText } from '../../streams/index.ts';
import type { TailEmbeddings } from '../tail-embeddings.ts';
import { parsed } from './scan-schema.ts';

/** Where the vectors of fresh rows come from. */
export type VectorSource = Pick<TailEmbeddings, 'caughtUp' | 'vectorsFor'>;

/** The schema with the columns that are made for search: `_text` and `_embedding`. */
export function withDerived(schema: TableSchema, { search, embed }: StreamDefinition): TableSchema {
  return { ...schema, text: search !== null, dimensions: embed?.dimensions ?? null };
}

/** The schema with those of them alone that are asked for. */
export function onlyAsked(schema: TableSchema, columns: readonly string[]): TableSchema {
  const { text, dimensions } = schema;
  return {
    ...schema,
    text: text && columns.includes('_text'),
    dimensions: columns.includes('_embedding') ? dimensions : null,
  };
}

/** What a compaction would write into these columns for rows of the tail. Vectors that cannot be had at once are null, as they are in a table then. */
export async function derivedOf(
  definition: StreamDefinition,
  { text, dimensions }: TableSchema,
  rows: readonly TableRow[],
  source: VectorSource | null,
): Promise<Omit<TableRows, 'rows'>> {
  if (!text && dimensions === null) return {};
  const values = rows.map(row => parsed(row.value!));
  const textOf = (of: typeof searchText, at: number): string | null =>
    isJsonObject(values[at]) ? of(definition, values[at]) : null;
  const texts = text ? { texts: rows.map((_, at) => textOf(searchText, at)) } : {};
  if (dimensions === null) return texts;
  const asked = rows.flatMap((row, at) => {
    const embedded = textOf(embedText, at);
    return embedded === null ? [] : [{ at, seq: row.seq, text: embedded }];
  });
  const vectors = new Float32Array(rows.length * dimensions);
  const hasVector = new Uint8Array(rows.length);
  const found = source === null || asked.length === 0 ? null : await source.vectorsFor(definition, asked);
  for (const [index, { at }] of asked.entries()) {
    if (found === null || found.hasVector[index] === 0) continue;
    hasVector[at] = 1;
    vectors.set(found.vectors.subarray(index * dimensions, (index + 1) * dimensions), at * dimensions);
  }
  return { ...texts, vectors, hasVector };
}
