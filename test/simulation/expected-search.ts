import type { JsonValue } from '../../src/base/index.ts';
import { HashProvider } from '../../src/embeddings/index.ts';
import type { EmbedSettings } from '../../src/streams/index.ts';
import { DIMENSIONS, REMOTE } from './draw-plan.ts';
import type { PlannedFilter, PlannedQuery } from './plan.ts';
import { remoteVector } from './remote-provider.ts';
import type { ModelRecord } from './stream-model.ts';

/** A row and how well it matches, from the definition of the score and nothing else. */
export interface Scored {
  record: ModelRecord;
  score: number;
}

const K1 = 1.8;
const B = 0.75;
const provider = new HashProvider({ dimensions: DIMENSIONS });
const hashed = new Map<string, Float32Array>();

/** Every row that matches a text query, best first; of equal ones the newer first. */
export function expectedText(rows: readonly ModelRecord[], query: PlannedQuery): Scored[] {
  const documents = rows.filter(row => row.words.length > 0);
  const tokens = documents.reduce((sum, row) => sum + row.words.length, 0);
  const average = tokens > 0 ? tokens / documents.length : 1;
  const weights = query.words.map(word => {
    const having = documents.filter(row => row.words.includes(word)).length;
    return Math.log(1 + (documents.length - having + 0.5) / (having + 0.5)) * (K1 + 1);
  });
  const scored = documents.map(record => {
    let score = 0;
    for (const [index, word] of query.words.entries()) {
      const frequency = record.words.filter(each => each === word).length;
      score += (weights[index] * frequency) / (frequency + K1 * (1 - B) + ((K1 * B) / average) * record.words.length);
    }
    return { record, score };
  });
  return accepted(scored, query)
    .filter(({ score }) => score > 0)
    .sort(bestFirst);
}

/** Every row that has a text to embed, nearest first. */
export function expectedNear(rows: readonly ModelRecord[], query: PlannedQuery, embed: EmbedSettings): Scored[] {
  const wanted = query.vector ?? [...vectorOf(query.words.join(' '), embed)];
  const scored = rows
    .filter(row => row.words.length > 0)
    .map(record => ({ record, score: cosine(wanted, vectorOf(record.words.join(' '), embed)) }));
  return accepted(scored, query).sort(bestFirst);
}

/** The rows that match the filter, newest first. */
export function expectedNewest(rows: readonly ModelRecord[], query: PlannedQuery): Scored[] {
  return accepted(
    rows.map(record => ({ record, score: 1 })),
    query,
  ).sort((a, b) => b.record.seq - a.record.seq);
}

export function bestFirst(a: Scored, b: Scored): number {
  return b.score - a.score || b.record.seq - a.record.seq;
}

function accepted(scored: Scored[], { filter }: PlannedQuery): Scored[] {
  return filter === null ? scored : scored.filter(({ record }) => accepts(filter, record));
}

function accepts(filter: PlannedFilter, { value }: ModelRecord): boolean {
  const field: JsonValue | undefined = filter.kind === 'in' ? value?.tag : value?.price;
  switch (filter.kind) {
    case 'gt':
      return typeof field === 'number' && field > filter.value;
    case 'lte':
      return typeof field === 'number' && field <= filter.value;
    case 'eq':
      return field === filter.value;
    case 'in':
      return typeof field === 'string' && filter.values.includes(field);
    case 'exists':
      return (field !== undefined) === filter.value;
  }
}

/** The same filter as a client writes it. */
export function filterJson(filter: PlannedFilter): Record<string, Record<string, JsonValue>> {
  switch (filter.kind) {
    case 'in':
      return { tag: { $in: filter.values } };
    case 'gt':
      return { price: { $gt: filter.value } };
    case 'lte':
      return { price: { $lte: filter.value } };
    case 'eq':
      return { price: { $eq: filter.value } };
    case 'exists':
      return { price: { $exists: filter.value } };
  }
}

export function vectorOf(text: string, embed: EmbedSettings): Float32Array {
  const key = `${embed.provider} ${text}`;
  let vector = hashed.get(key);
  if (vector === undefined) {
    vector = new Float32Array(DIMENSIONS);
    if (embed.provider === REMOTE) vector = remoteVector(text);
    else provider.embedInto(text, vector, 0);
    if (hashed.size > 50_000) hashed.clear();
    hashed.set(key, vector);
  }
  return vector;
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let product = 0;
  let squareA = 0;
  let squareB = 0;
  for (let at = 0; at < DIMENSIONS; at++) {
    product += a[at] * b[at];
    squareA += a[at] * a[at];
    squareB += b[at] * b[at];
  }
  return squareA === 0 || squareB === 0 ? 0 : product / Math.sqrt(squareA * squareB);
}
