import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type QueryHit, type SearchMode, Tailwater } from '../../src/index.ts';
import { analyze } from '../../src/streams/index.ts';
import type { BenchContext, Figure, Section } from '../lib/figures.ts';

const LIMIT = 10;
const TAIL_SHARES = [1, 0.75, 0.5, 0.25, 0];
const K1_GRID = [0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.4];
const B_GRID = [0.1, 0.25, 0.4, 0.55, 0.65, 0.75, 0.9];

interface Doc {
  id: string;
  title: string;
  text: string;
}

interface Collection {
  docs: Doc[];
  queries: { id: string; text: string }[];
  relevant: Map<string, Set<string>>;
}

/** The answers must not depend on how the documents are split between tail and table (R3). */
export const cranfield: Section = {
  name: 'cranfield',
  title: 'Cranfield: merge equivalence and quality (1,400 documents, 225 queries)',
  async run(context) {
    const collection = readCollection(context.data);
    const runs = new Map<string, Map<SearchMode, string[][]>>();
    for (const share of TAIL_SHARES) {
      runs.set(String(share), await answersWith(context, collection, share));
      context.log(`${share * 100} % of the documents in the tail: done`);
    }
    return figuresOf(collection, runs, bestBm25(collection));
  },
};

function readCollection(data: string): Collection {
  const lines = (name: string) =>
    readFileSync(join(data, 'cranfield', name), 'utf8')
      .split('\n')
      .filter(line => line !== '');
  const relevant = new Map<string, Set<string>>();
  for (const line of lines('qrels.tsv')) {
    const [query, document, code] = line.split('\t');
    if (!(Number(code) >= 1)) continue;
    relevant.set(query, (relevant.get(query) ?? new Set()).add(document));
  }
  return {
    docs: lines('docs.ndjson').map(line => JSON.parse(line)),
    queries: lines('queries.ndjson').map(line => JSON.parse(line)),
    relevant,
  };
}

async function answersWith(
  context: BenchContext,
  { docs, queries }: Collection,
  tailShare: number,
): Promise<Map<SearchMode, string[][]>> {
  const tailwater = await Tailwater.open({ dataDir: join(context.folder, `tail-${tailShare}`), compaction: { auto: false } });
  await tailwater.createStream('docs', {
    kind: 'upsert',
    key: 'id',
    search: { fields: ['title', 'text'] },
    embed: { fields: ['title', 'text'] },
  });
  const compacted = Math.round(docs.length * (1 - tailShare));
  if (compacted > 0) {
    await tailwater.append(
      'docs',
      docs.slice(0, compacted).map(value => ({ value: { ...value } })),
    );
    await tailwater.compact('docs', { full: true });
  }
  if (compacted < docs.length)
    await tailwater.append(
      'docs',
      docs.slice(compacted).map(value => ({ value: { ...value } })),
    );
  const answers = new Map<SearchMode, string[][]>();
  for (const mode of ['text', 'vector', 'hybrid'] as const) {
    const ids: string[][] = [];
    for (const { text } of queries)
      ids.push((await tailwater.query('docs', { text, mode, limit: LIMIT })).hits.map((hit: QueryHit) => String(hit.value.id)));
    answers.set(mode, ids);
  }
  await tailwater.close();
  return answers;
}

function figuresOf(collection: Collection, runs: Map<string, Map<SearchMode, string[][]>>, best: BestBm25): Figure[] {
  const reference = runs.get('0')!;
  const ndcg = (mode: SearchMode, share = '0') => meanNdcg(collection, runs.get(share)!.get(mode)!);
  const shares = TAIL_SHARES.map(String);
  const same = Math.min(...shares.map(share => sameTop(reference.get('text')!, runs.get(share)!.get('text')!)));
  const hybrids = shares.map(share => ndcg('hybrid', share));
  return [
    { name: 'text: queries with the same top 10, worst split', value: same * 100, unit: '%', goal: { atLeast: 99 } },
    {
      name: 'hybrid: largest difference of nDCG@10 between splits',
      value: Math.max(...hybrids) - Math.min(...hybrids),
      unit: '',
      goal: { atMost: 0.002 },
    },
    {
      name: 'text nDCG@10',
      value: ndcg('text'),
      unit: '',
      goal: { atLeast: best.ndcg - 0.005 },
      beside: { name: `independent BM25, best of the grid (k1 ${best.k1}, b ${best.b})`, value: best.ndcg, unit: '' },
      note: `grid: k1 ${K1_GRID.join(' ')} x b ${B_GRID.join(' ')}`,
    },
    { name: 'vector nDCG@10 (hash embeddings)', value: ndcg('vector'), unit: '', goal: null },
    { name: 'hybrid nDCG@10', value: ndcg('hybrid'), unit: '', goal: null },
  ];
}

function sameTop(a: string[][], b: string[][]): number {
  return a.filter((ids, index) => ids.join() === b[index].join()).length / a.length;
}

/** Binary gains; the ideal has min(10, relevant) hits at the top. */
function meanNdcg({ queries, relevant }: Collection, answers: string[][]): number {
  let sum = 0;
  for (const [index, { id }] of queries.entries()) {
    const wanted = relevant.get(id) ?? new Set();
    const gain = answers[index].reduce(
      (total, document, rank) => total + (wanted.has(document) ? 1 / Math.log2(rank + 2) : 0),
      0,
    );
    let ideal = 0;
    for (let rank = 0; rank < Math.min(LIMIT, wanted.size); rank++) ideal += 1 / Math.log2(rank + 2);
    sum += ideal === 0 ? 0 : gain / ideal;
  }
  return sum / queries.length;
}

interface BestBm25 {
  ndcg: number;
  k1: number;
  b: number;
}

/** A plain BM25 over all documents, written for this comparison only, on the same tokens. */
function bestBm25(collection: Collection): BestBm25 {
  const tokens = collection.docs.map(doc => analyze(`${doc.title}\n${doc.text}`));
  const counts = tokens.map(terms => {
    const map = new Map<string, number>();
    for (const term of terms) map.set(term, (map.get(term) ?? 0) + 1);
    return map;
  });
  const frequency = new Map<string, number>();
  for (const map of counts) for (const term of map.keys()) frequency.set(term, (frequency.get(term) ?? 0) + 1);
  const average = tokens.reduce((sum, terms) => sum + terms.length, 0) / tokens.length;
  let best: BestBm25 = { ndcg: -1, k1: 0, b: 0 };
  for (const k1 of K1_GRID) {
    for (const b of B_GRID) {
      const answers = collection.queries.map(({ text }) => rank(analyze(text), k1, b));
      const ndcg = meanNdcg(collection, answers);
      if (ndcg > best.ndcg) best = { ndcg, k1, b };
    }
  }
  return best;

  function rank(terms: string[], k1: number, b: number): string[] {
    const scores = counts.map((map, index) => {
      let score = 0;
      for (const term of terms) {
        const found = map.get(term) ?? 0;
        if (found === 0) continue;
        const df = frequency.get(term)!;
        const idf = Math.log(1 + (tokens.length - df + 0.5) / (df + 0.5));
        score += (idf * found * (k1 + 1)) / (found + k1 * (1 - b + (b * tokens[index].length) / average));
      }
      return { index, score };
    });
    return scores
      .filter(entry => entry.score > 0)
      .sort((x, y) => y.score - x.score || y.index - x.index)
      .slice(0, LIMIT)
      .map(entry => collection.docs[entry.index].id);
  }
}
