import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, Index, type Table } from '@lancedb/lancedb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { analyze, Bm25, LANCE_TEXT_INDEX } from '../../src/streams/index.ts';

const ODD_TEXTS = [
  'Straße STRASSE groß ẞ größe',
  'İstanbul ıstanbul ISTANBUL',
  'ΣΊΣΥΦΟΣ σίσυφος Σ',
  'ﬁnance ﬂow ①② ½ x² ⅷ ℂ Å ŉ ǆ ﷺ',
  'naïve café cafe\u0301 Ångström Łódź Þór Ðe æon œuvre ħ ŋ ſ',
  '𝐇𝐞𝐥𝐥𝐨 𝟘 𝐚y 𝐚ies 𝐚𝐛ies 𠮷野家 👍🏽 ok',
  'こんにちは世界 カタカナ ｶﾀｶﾅ 한국어 हिन्दी ภาษาไทย العربية עברית Привет Ёлка',
  `${'b'.repeat(39)} ${'c'.repeat(40)} ${'d'.repeat(41)} ${'é'.repeat(19)} ${'è'.repeat(20)} ${'ß'.repeat(19)}s`,
  "don't can’t rock’n’roll foo_bar-baz 3.14 0x1F a1b2 C++ C# e-mail x\u00adyz a\u200db",
  'lone \ud800surrogate and\udc00 tail',
  'generously general generic organ organize organic international internal intern university universal later lateral pasted paste',
  'dying lying tying innings outing evening canning herring proceeded exceed succeed feed agreed added egging offing hoping hopping',
  'skis skies sky news howe howes atlas bias andes cosmos early only singly gently idly ugly does doing being beings through once',
  'yyyy sayyid byby Yoyo toy toys cries ties tie ied ies us ss sses gas this was yes',
  'biologist geologists analogy apologies hopefully hopelessly rationally conditional vietnamization predication operator',
  'feudalism decisiveness callousness formality sensitivity sensibility electricity triplicate formative goodness revival allowance',
];

const folder = await mkdtemp(join(tmpdir(), 'tailwater-text-'));
const texts: string[] = [];
let table: Table;

beforeAll(async () => {
  texts.push(...ODD_TEXTS, ...(await installedProse(250)));
  const database = await connect(folder);
  table = await database.createTable(
    'texts',
    texts.map((text, id) => ({ id, text })),
  );
  await table.createIndex('text', { config: Index.fts(LANCE_TEXT_INDEX) });
});

afterAll(() => rm(folder, { recursive: true }));

describe('analyze and a LanceDB index', () => {
  test('agree on which documents each odd word is in', async () => {
    expect(await disagreements(wordsOf(ODD_TEXTS))).toEqual([]);
  });

  test('agree on which documents each word of real prose is in', async () => {
    const words = wordsOf(texts.slice(ODD_TEXTS.length));
    const step = Math.ceil(words.length / 1_200);
    expect(await disagreements(words.filter((_, index) => index % step === 0))).toEqual([]);
  });

  test('agree on what is no word at all', async () => {
    expect(['the', 'a', 'with', '…', "'", 'c'.repeat(40), 'è'.repeat(20)].map(analyze)).toEqual([[], [], [], [], [], [], []]);
    for (const query of ['the', 'c'.repeat(40), 'è'.repeat(20)]) expect(await found(query)).toEqual([]);
  });
});

test('BM25 with the parameters of LanceDB gives the scores of LanceDB', async () => {
  const analyzed = texts.map(analyze);
  const tokens = analyzed.reduce((sum, terms) => sum + terms.length, 0);
  for (const word of ['install', 'default', 'function', 'general', 'straße']) {
    const [term] = analyze(word);
    const counts = analyzed.map(terms => terms.filter(candidate => candidate === term).length);
    const frequencies = [counts.filter(count => count > 0).length];
    const bm25 = new Bm25({ documents: texts.length, tokens, frequencies }, { k1: 1.2, b: 0.75 });
    const hits = await table
      .query()
      .fullTextSearch(word, { columns: ['text'] })
      .select(['id', '_score'])
      .limit(1_000)
      .toArray();
    expect(hits.length).toBe(frequencies[0]);
    for (const { id, _score } of hits) expect(bm25.score([counts[id]], analyzed[id].length)).toBeCloseTo(_score, 4);
  }
});

async function disagreements(words: string[]) {
  const analyzed = texts.map(text => new Set(analyze(text)));
  const wrong: object[] = [];
  for (const word of words) {
    const [term] = analyze(word);
    const ours = analyzed.flatMap((terms, id) => (term !== undefined && terms.has(term) ? [id] : []));
    const theirs = await found(word);
    if (JSON.stringify(ours) !== JSON.stringify(theirs)) wrong.push({ word, term, ours, theirs });
  }
  return wrong;
}

async function found(query: string): Promise<number[]> {
  const hits = await table
    .query()
    .fullTextSearch(query, { columns: ['text'] })
    .select(['id', '_score'])
    .limit(10_000)
    .toArray();
  return hits.map(hit => Number(hit.id)).sort((a, b) => a - b);
}

/** Whole words only: a query is one word. */
function wordsOf(from: string[]): string[] {
  return [...new Set(from.flatMap(text => text.match(/[\p{Alphabetic}\p{N}]+/gu) ?? []))];
}

/** Pieces of the README files that came with the installed packages. */
async function installedProse(count: number): Promise<string[]> {
  const packages = new URL('../../node_modules/', import.meta.url);
  const pieces: string[] = [];
  for (const name of (await readdir(packages)).sort()) {
    const text = await readFile(new URL(`${name}/README.md`, packages), 'utf8').catch(() => '');
    for (let at = 0; at + 1_000 < text.length && at < 3_000; at += 1_000) pieces.push(text.slice(at, at + 1_000));
    if (pieces.length >= count) break;
  }
  return pieces.slice(0, count);
}
