import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { QueryAnswer } from '../../src/index.ts';
import type { DocumentIngestSummary } from '../../src/ingest/index.ts';
import { type TestCli, temporaryCli } from './cli-support.ts';

const HARBOUR = '# Harbour\n\nBoats wait for the tide.\n\n## Locks\n\nThe lock keeper opens at dawn.\n';

async function withFolder(
  files: Record<string, string | Uint8Array>,
  work: (cli: TestCli, folder: string) => Promise<void>,
): Promise<void> {
  await using cli = await temporaryCli();
  const folder = join(cli.folder, 'docs');
  await mkdir(join(folder, 'deep'), { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  await work(cli, folder);
}

const ingest = (cli: TestCli, folder: string, ...more: string[]) =>
  cli.json(['ingest', folder, '--stream', 'docs', ...more]) as Promise<DocumentIngestSummary>;

async function found(cli: TestCli, text: string): Promise<string[]> {
  const { hits, freshness } = (await cli.json(['query', 'docs', text, '--mode', 'text'])) as QueryAnswer;
  expect(freshness.complete).toBe(true);
  return hits.map(hit => `${hit.source!.document} ${hit.source!.heading.join(' > ')}`.trim());
}

describe('tailwater ingest of a folder of prose', () => {
  test('makes a document of each file, whose chunks are found and cited', () =>
    withFolder(
      { 'a.md': HARBOUR, 'deep/b.txt.gz': gzipSync('Rain on the river.'), 'c#1.txt': 'Ropes.', 'image.png': 'no text' },
      async (cli, folder) => {
        const { code, stdout, stderr } = await cli.run(['ingest', folder, '--stream', 'docs']);
        expect([code, stderr]).toEqual([0, '']);
        expect(stdout).toBe('docs: 3 documents written (4 chunks added, 0 kept, 0 removed), 0 unchanged.\n');
        expect((await found(cli, 'who opens the lock'))[0]).toBe('a.md Harbour > Locks');
        expect(await found(cli, 'river')).toEqual(['deep/b.txt.gz']);
        expect(await found(cli, 'ropes')).toEqual(['c%231.txt']);
        expect(await cli.json(['streams', 'show', 'docs'])).toMatchObject({
          definition: { kind: 'upsert', documents: { chunkTokens: 400 } },
        });
      },
    ));

  test('run again sends what changed alone, and deletes what is gone if told so', () =>
    withFolder({ 'a.md': HARBOUR, 'b.md': '# Rain', 'deep/c.txt': 'Wind.' }, async (cli, folder) => {
      await ingest(cli, folder);
      const { head } = (await cli.json(['streams', 'show', 'docs'])) as { head: number[] };
      expect(await ingest(cli, folder, '--delete-missing')).toMatchObject({ files: 3, documents: 0, unchanged: 3, deleted: 0 });
      expect(await cli.json(['streams', 'show', 'docs'])).toMatchObject({ head });
      await writeFile(join(folder, 'a.md'), HARBOUR.replace('dawn', 'noon'));
      await rm(join(folder, 'b.md'));
      await rm(join(folder, 'deep', 'c.txt'));
      expect(await ingest(cli, folder)).toMatchObject({ documents: 1, chunks: { added: 1, kept: 1, removed: 1 }, deleted: 0 });
      expect(await found(cli, 'rain')).toEqual(['b.md Rain']);
      expect(await ingest(cli, folder, '--delete-missing')).toMatchObject({ documents: 0, unchanged: 1, deleted: 2 });
      expect([await found(cli, 'rain'), await found(cli, 'wind'), await found(cli, 'noon')]).toEqual([
        [],
        [],
        ['a.md Harbour > Locks'],
      ]);
      await rm(join(folder, 'a.md'));
      expect(await ingest(cli, folder, '--delete-missing')).toMatchObject({ files: 0, deleted: 1 });
    }));

  test('with a prefix leaves the documents of other folders alone', () =>
    withFolder({ 'a.md': HARBOUR }, async (cli, folder) => {
      await ingest(cli, folder, '--prefix', 'one/');
      await ingest(cli, folder, '--prefix', 'two/');
      await rm(join(folder, 'a.md'));
      expect(await ingest(cli, folder, '--prefix', 'two/', '--delete-missing')).toMatchObject({ deleted: 1 });
      expect((await found(cli, 'tide'))[0]).toBe('one/a.md Harbour');
    }));

  test('names files that cannot be documents, and takes the others', () =>
    withFolder({ 'a.md': HARBOUR, 'bad.txt': new Uint8Array([0x61, 0xff]), 'bad.md.gz': 'no gzip' }, async (cli, folder) => {
      const { code, stdout, stderr } = await cli.run(['ingest', folder, '--stream', 'docs']);
      expect([code, stdout]).toEqual([
        0,
        'docs: 1 documents written (2 chunks added, 0 kept, 0 removed), 0 unchanged, 2 rejected.\n',
      ]);
      expect(stderr).toMatch(/^bad\.md\.gz: TW_SOURCE: .*\nbad\.txt: TW_SOURCE: .* not valid UTF-8\.\n$/);
    }));

  test('refuses what would not be what was meant', () =>
    withFolder({ 'a.md': HARBOUR, 'rows.ndjson': '{"id":1}\n' }, async (cli, folder) => {
      const file = join(folder, 'a.md');
      expect(await cli.run(['ingest', file, '--stream', 'docs'])).toMatchObject({ code: 0 });
      const refused = [
        ['ingest', file, '--stream', 'docs', '--delete-missing'],
        ['ingest', join(folder, 'rows.ndjson'), '--stream', 'docs'],
        ['ingest', '-', '--stream', 'docs', '--format', 'text'],
        ['ingest', join(folder, 'rows.ndjson'), '--stream', 'rows', '--delete-missing'],
      ];
      for (const args of refused) {
        const { code, stderr } = await cli.run(args, { stdin: 'text' });
        expect([code, stderr.split(':')[0]]).toEqual([1, 'TW_SETTING']);
      }
      expect(await ingest(cli, folder), 'other files of the folder are left out').toMatchObject({ files: 1, unchanged: 1 });
    }));
});
