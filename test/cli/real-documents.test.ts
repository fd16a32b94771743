import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TailwaterClient } from '../../src/client.ts';
import type { DocumentIngestSummary } from '../../src/ingest/index.ts';
import { ndcgAt10, readCranfield } from '../embeddings/cranfield.ts';
import { temporaryCli } from './cli-support.ts';
import { start } from './process-support.ts';

/** 1,400 abstracts are put twice, in part, and 225 queries asked: about 20 s on two idle cores. */
const SLOW_MS = 240_000;
/** How much worse than the same texts as plain rows, by nDCG@10: chunks have a heading that says nothing. */
const MAX_LOSS = 0.02;

const cranfield = readCranfield();

describe('a real collection, through the command line, as a folder of documents', () => {
  test('is there exactly, is found, and is not sent again', { timeout: SLOW_MS }, async () => {
    if (cranfield === null) {
      console.info('The Cranfield collection was left out: set TAILWATER_DATA to the folder that holds it.');
      return;
    }
    await using cli = await temporaryCli();
    await using server = await start({ dataDir: cli.dataDir });
    const client = new TailwaterClient({ url: server.url });
    const folder = join(cli.folder, 'abstracts');
    await mkdir(folder);
    const texts = new Map(cranfield.docs.map(({ id, text }) => [`${id}.md`, `# Abstract ${id}\n\n${text}\n`]));
    for (const [name, text] of texts) await writeFile(join(folder, name), text);
    const ingest = (...more: string[]) =>
      cli.json(['ingest', folder, '--stream', 'abstracts', ...more]) as Promise<DocumentIngestSummary>;

    expect(await ingest()).toMatchObject({ files: texts.size, documents: texts.size, unchanged: 0, rejected: [] });
    await client.compact('abstracts');
    const changed = [...texts.keys()].filter((_, at) => at % 100 === 0);
    for (const name of changed) {
      texts.set(name, `${texts.get(name)}\n## Note\n\nRead in the reading room.\n`);
      await writeFile(join(folder, name), texts.get(name)!);
    }
    const gone = [...texts.keys()].at(-1)!;
    await rm(join(folder, gone));
    texts.delete(gone);
    expect(await ingest('--delete-missing')).toMatchObject({
      documents: changed.length,
      unchanged: texts.size - changed.length,
      deleted: 1,
      chunks: { added: changed.length },
    });

    const listed = new Set<string>();
    for (let after: string | null | undefined; after !== null; ) {
      const page = await client.listDocuments('abstracts', { limit: 500, ...(after === undefined ? {} : { after }) });
      for (const { document } of page.documents) listed.add(document);
      after = page.next;
    }
    expect([...listed].toSorted()).toEqual([...texts.keys()].toSorted());
    for (const [name, text] of texts) expect((await client.getDocument('abstracts', name)).text).toBe(text);

    await client.createStream('rows', { kind: 'upsert', key: 'id', search: { fields: ['text'] }, embed: { fields: ['text'] } });
    const values = cranfield.docs.filter(({ id }) => texts.has(`${id}.md`)).map(({ id, text }) => ({ value: { id, text } }));
    await client.append('rows', values);
    const scores = { documents: 0, rows: 0 };
    for (const { id, text } of cranfield.queries) {
      const { hits, freshness } = await client.query('abstracts', { text, limit: 30 });
      expect(freshness.complete).toBe(true);
      for (const { value, source } of hits) {
        const [{ start: from, end }] = source!.ranges;
        expect(texts.get(source!.document)!.slice(from, end)).toBe(value.text);
      }
      const ranking = [...new Set(hits.map(hit => hit.source!.document.replace('.md', '')))];
      const relevant = cranfield.relevant.get(id) ?? new Set();
      scores.documents += ndcgAt10(ranking, relevant) / cranfield.queries.length;
      const rows = await client.query('rows', { text, limit: 10 });
      scores.rows +=
        ndcgAt10(
          rows.hits.map(hit => hit.id),
          relevant,
        ) / cranfield.queries.length;
    }
    console.info(`Cranfield, nDCG@10: as documents ${scores.documents.toFixed(4)}, as rows ${scores.rows.toFixed(4)}`);
    expect(scores.documents).toBeGreaterThan(scores.rows - MAX_LOSS);
    await client.close();
  });
});
