import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scoresOf } from '../../src/cli/eval/metrics.ts';
import { parseQrels, parseQueries } from '../../src/cli/eval/read-judged.ts';
import { temporaryCli } from './cli-support.ts';

describe('scores of a ranking', () => {
  test('are those worked out by hand', () => {
    const judged = new Map([
      ['a', 3],
      ['b', 2],
      ['c', 1],
      ['x', 0],
    ]);
    // DCG = 2/log2(2) + 0 + 3/log2(4) = 3.5; ideal = 3 + 2/log2(3) + 1/log2(4) = 4.761859…
    const scores = scoresOf(['b', 'x', 'a', 'y'], judged, 10)!;
    expect(scores.ndcg).toBeCloseTo(3.5 / (3 + 2 / Math.log2(3) + 0.5), 12);
    expect(scores.recall).toBeCloseTo(2 / 3, 12);
    expect(scores.reciprocalRank).toBe(1);
    expect(scoresOf(['x', 'y', 'c'], judged, 2)).toEqual({ ndcg: 0, recall: 1 / 3, reciprocalRank: 0 });
    expect(scoresOf(['a'], new Map([['x', 0]]), 10)).toBeNull();
  });

  test('are 1 for the ideal order, and never grow when a relevant document moves down', () => {
    const gains = fc
      .array(fc.integer({ min: 0, max: 3 }), { minLength: 2, maxLength: 15 })
      .filter(all => all.some(gain => gain > 0));
    fc.assert(
      fc.property(gains, fc.nat(), (all, at) => {
        const judged = new Map(all.map((gain, index) => [`d${index}`, gain]));
        const ideal = [...judged.keys()].sort((a, b) => judged.get(b)! - judged.get(a)!);
        expect(scoresOf(ideal, judged, 10)!.ndcg).toBeCloseTo(1, 12);
        const swapped = [...ideal];
        const place = at % (ideal.length - 1);
        [swapped[place], swapped[place + 1]] = [swapped[place + 1], swapped[place]];
        expect(scoresOf(swapped, judged, 10)!.ndcg).toBeLessThanOrEqual(1 + 1e-12);
      }),
    );
  });
});

describe('files of queries and judgements', () => {
  test('are read in the forms that BEIR and TREC have', () => {
    expect(parseQueries('{"_id":"1","text":"tide"}\n\n{"id":2,"text":"storm"}\n', 'q')).toEqual([
      { id: '1', text: 'tide' },
      { id: '2', text: 'storm' },
    ]);
    expect(parseQueries('q1\ttide and storm\n', 'q')).toEqual([{ id: 'q1', text: 'tide and storm' }]);
    const judged = new Map([['1', new Map([['d1', 2]])]]);
    expect(parseQrels('query-id\tcorpus-id\tscore\n1\td1\t2\n', 'r')).toEqual(judged);
    expect(parseQrels('1 0 d1 2\n', 'r')).toEqual(judged);
  });

  test('that are broken are named with the line', () => {
    expect(() => parseQueries('{"_id":"1"}', 'q.jsonl')).toThrow(/q\.jsonl:1/);
    expect(() => parseQueries('{"_id":', 'q.jsonl')).toThrow(/q\.jsonl:1/);
    expect(() => parseQrels('1\td1\t1\n1\td2\n', 'r.tsv')).toThrow(/r\.tsv:2/);
    expect(() => parseQrels('1\td1\t1\n1\td2\tmuch\n', 'r.tsv')).toThrow(/r\.tsv:2/);
  });
});

describe('tailwater eval', () => {
  test('puts the corpus of a folder into a stream, and scores each way to search it', async () => {
    await using cli = await temporaryCli();
    const beir = join(cli.folder, 'beir');
    await mkdir(join(beir, 'qrels'), { recursive: true });
    const docs = ['tide tables of the harbour', 'storm over the reef', 'how to drop an anchor', 'a mast of pine'];
    const lines = (values: readonly object[]) => `${values.map(value => JSON.stringify(value)).join('\n')}\n`;
    await writeFile(join(beir, 'corpus.jsonl'), lines(docs.map((text, at) => ({ _id: `d${at}`, title: `Doc ${at}`, text }))));
    const queries = [
      { _id: 'q0', text: 'tide tables' },
      { _id: 'q1', text: 'storm reef' },
      { _id: 'q9', text: 'nobody judged this' },
    ];
    await writeFile(join(beir, 'queries.jsonl'), lines(queries));
    await writeFile(join(beir, 'qrels', 'test.tsv'), 'query-id\tcorpus-id\tscore\nq0\td0\t1\nq1\td1\t1\n');
    const plot = join(cli.folder, 'scores.svg');
    const args = ['eval', beir, '--stream', 'docs', '--weights', '1:1,2:1'];
    const first = await cli.run([...args, '--json', '--plot', plot]);
    expect(first.code, first.stderr).toBe(0);
    const { manners } = JSON.parse(first.stdout);
    expect(manners.map(({ mode, weights }: { mode: string; weights: unknown }) => [mode, weights])).toEqual([
      ['text', null],
      ['vector', null],
      ['hybrid', { text: 1, vector: 1 }],
      ['hybrid', { text: 2, vector: 1 }],
    ]);
    for (const row of manners) expect(row).toMatchObject({ queries: 2, ndcg: 1, mrr: 1, recall: 1, complete: 1 });
    expect(await readFile(plot, 'utf8')).toMatch(/^<svg .*hybrid 2:1.*<\/svg>\n$/s);
    const again = await cli.run([...args, '--modes', 'text']);
    expect(again.stdout).toMatch(/^MODE +nDCG@10 .*\ntext +1\.0000 .*100\.0%.*\n2 queries with a relevant document\.\n$/s);
    const absent = await cli.run(['eval', join(beir, 'queries.jsonl'), join(beir, 'none.tsv'), '--stream', 'docs']);
    expect(absent).toMatchObject({ code: 1, stderr: expect.stringContaining('TW_SOURCE') });
    const unsearchable = await cli.run([...args.slice(0, 3), 'nothing.here', '--modes', 'near']);
    expect(unsearchable.code).toBe(2);
  });
});
