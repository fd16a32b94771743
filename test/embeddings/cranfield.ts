import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Text {
  id: string;
  text: string;
}

/** The Cranfield collection: abstracts, queries, and by query the relevant abstracts (code 1 or more). Null when the data is not there. */
export function readCranfield(): { docs: Text[]; queries: Text[]; relevant: Map<string, Set<string>> } | null {
  const folder = join(process.env.TAILWATER_DATA ?? join(import.meta.dirname, '../../../shared/data'), 'cranfield');
  if (!existsSync(folder)) return null;
  const lines = (name: string): string[] => readFileSync(join(folder, name), 'utf8').trim().split('\n');
  const texts = (name: string): Text[] => lines(name).map(line => JSON.parse(line));
  const relevant = new Map<string, Set<string>>();
  for (const line of lines('qrels.tsv')) {
    const [query, doc, code] = line.split('\t');
    if (Number(code) >= 1) relevant.set(query, (relevant.get(query) ?? new Set()).add(doc));
  }
  return { docs: texts('docs.ndjson'), queries: texts('queries.ndjson'), relevant };
}

/** nDCG@10 with binary gains of one ranking. */
export function ndcgAt10(ranking: readonly string[], relevant: ReadonlySet<string>): number {
  const discount = (rank: number): number => 1 / Math.log2(rank + 2);
  let gained = 0;
  for (const [rank, id] of ranking.slice(0, 10).entries()) if (relevant.has(id)) gained += discount(rank);
  let ideal = 0;
  for (let rank = 0; rank < Math.min(10, relevant.size); rank++) ideal += discount(rank);
  return ideal === 0 ? 0 : gained / ideal;
}
