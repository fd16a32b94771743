import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isJsonObject, type JsonObject, TailwaterError } from '../../base/index.ts';
import type { Judgements } from './metrics.ts';

export interface JudgedQueries {
  /** Those that have judgements, in the order of the file. */
  queries: { id: string; text: string }[];
  judged: Map<string, Judgements>;
}

export interface Places {
  queries: string;
  qrels: string;
  /** Null when only queries and judgements were given. */
  corpus: string | null;
}

/** A folder in BEIR's layout (corpus.jsonl, queries.jsonl, qrels/{split}.tsv), or the two files. Throws TW_SOURCE. */
export async function placesOf(first: string, second: string | undefined, split: string): Promise<Places> {
  if (second !== undefined) return { queries: first, qrels: second, corpus: null };
  const found = await stat(first).catch(() => null);
  if (found?.isDirectory() !== true)
    throw source(`${first} is not a folder; give a folder in BEIR's layout, or two files: queries and judgements.`);
  const corpus = join(first, 'corpus.jsonl');
  return { queries: join(first, 'queries.jsonl'), qrels: join(first, 'qrels', `${split}.tsv`), corpus };
}

export async function readJudged(places: Places): Promise<JudgedQueries> {
  const judged = parseQrels(await textOf(places.qrels), places.qrels);
  const all = parseQueries(await textOf(places.queries), places.queries);
  return { queries: all.filter(({ id }) => judged.has(id)), judged };
}

/** A query a line: JSON with `_id` or `id` and `text`, or id, tab, text. */
export function parseQueries(content: string, file: string): { id: string; text: string }[] {
  return linesOf(content).map(({ line, number }) => {
    const tab = line.indexOf('\t');
    if (!line.startsWith('{') && tab > 0) return { id: line.slice(0, tab), text: line.slice(tab + 1) };
    const { _id, id = _id, text } = objectOf(line, file, number);
    if ((typeof id === 'string' || typeof id === 'number') && typeof text === 'string') return { id: String(id), text };
    throw source(`${file}:${number} is no query; it needs "_id" (or "id") and "text".`);
  });
}

/** Tab- or space-separated: query, document, relevance, with or without a heading (BEIR); or query, iteration, document, relevance (TREC). */
export function parseQrels(content: string, file: string): Map<string, Map<string, number>> {
  const judged = new Map<string, Map<string, number>>();
  for (const { line, number } of linesOf(content)) {
    const fields = line.split(/\t| +/);
    const [query, document, relevance] = fields.length === 4 ? [fields[0], fields[2], fields[3]] : fields;
    const gain = Number(relevance);
    if (fields.length < 3 || fields.length > 4 || relevance === '' || !Number.isFinite(gain)) {
      if (number === 1) continue;
      throw source(`${file}:${number} is no judgement; it needs query, document and relevance, separated by tabs.`);
    }
    const own = judged.get(query) ?? new Map<string, number>();
    judged.set(query, own.set(document, gain));
  }
  return judged;
}

/** The documents of a corpus, as rows; read as they are asked for. */
export async function* readCorpus(file: string): AsyncGenerator<{ id: string; title: string; text: string }> {
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    number++;
    if (line.trim() === '') continue;
    const { _id, id = _id, title = '', text } = objectOf(line, file, number);
    if (typeof id !== 'string' || typeof title !== 'string' || typeof text !== 'string')
      throw source(`${file}:${number} is no document; it needs "_id" and "text".`);
    yield { id, title, text };
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw source(`${file} cannot be read: ${(error as Error).message}.`);
  }
}

function linesOf(content: string): { line: string; number: number }[] {
  const lines = content.split(/\r?\n/).map((line, at) => ({ line, number: at + 1 }));
  return lines.filter(({ line }) => line.trim() !== '');
}

function objectOf(line: string, file: string, number: number): JsonObject {
  try {
    const found: unknown = JSON.parse(line);
    if (isJsonObject(found)) return found;
  } catch {
    // Said below, with its place.
  }
  throw source(`${file}:${number} is no JSON object.`);
}

function source(detail: string): TailwaterError {
  return new TailwaterError('TW_SOURCE', { detail });
}
