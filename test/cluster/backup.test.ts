import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Tailwater } from '../../src/server/index.ts';
import { createS3Store, listAll, type S3Settings } from '../../src/storage/index.ts';
import { type Outcome, type TestCli, temporaryCli } from '../cli/cli-support.ts';
import { freshPrefix, makeBucket, realS3 } from '../harness/real-s3.ts';
import { environmentOf, fill, openOn } from './s3-data.ts';

function backup(cli: TestCli, s3: S3Settings, target: string): Promise<Outcome> {
  return cli.run(['backup', target, '--json', '--s3-region', s3.region], { env: environmentOf(s3) });
}

/** What a user sees of both streams. */
async function seen(tailwater: Tailwater): Promise<unknown> {
  const { rows } = await tailwater.sql('SELECT id, text FROM docs ORDER BY id');
  const records = await Promise.all([0, 1].map(partition => tailwater.read('events', { partition, limit: 1000 })));
  const { hits } = await tailwater.query('docs', { text: 'text', limit: 10 });
  return { rows, records: records.map(page => page.records), found: hits.map(hit => hit.key).sort() };
}

const s3 = realS3();
if (s3 === null) {
  test('backups of deployments on S3 are left out', () => {
    console.log('Left out: backups of S3. To include them: eval "$(test/storage/real-s3.sh start)"');
    expect(s3).toBeNull();
  });
} else {
  beforeAll(() => makeBucket(s3));
  describe('a backup of a deployment on S3', () => {
    test('has everything of before, also while nodes are at work, and is a deployment again where it is put', async () => {
      await using cli = await temporaryCli();
      const settings = { ...s3, prefix: freshPrefix('backup') };
      let tailwater = await openOn(cli, settings);
      await fill(tailwater);
      const before = await seen(tailwater);
      let busy = true;
      const work = (async () => {
        await tailwater.createStream('more', { kind: 'append' });
        for (let n = 0; busy; n++) {
          await tailwater.append('more', [{ value: { n } }]);
          if (n % 4 === 3) await tailwater.compact('more');
          if (n % 8 === 7) await tailwater.collect();
        }
      })();
      const target = join(cli.folder, 'copy');
      const { code, stderr, stdout } = await backup(cli, settings, target);
      busy = false;
      await work;
      await tailwater.close();
      expect([code, stderr]).toEqual([0, '']);
      const lines = (await readFile(join(target, 'backup.txt'), 'utf8')).trim().split('\n');
      expect(JSON.parse(stdout)).toMatchObject({ target, files: lines.length });
      // The hold is gone.
      const store = createS3Store(settings);
      expect((await store.list('pins/backup')).length).toBe(0);

      const restored = { ...s3, prefix: freshPrefix('restored') };
      const there = createS3Store(restored);
      for (const line of lines) {
        const key = line.split(' ').slice(2).join(' ');
        await there.put(key, await readFile(join(target, key)));
      }
      tailwater = await openOn({ ...cli, folder: join(cli.folder, 'other'), dataDir: join(cli.folder, 'other-data') }, restored);
      expect(await seen(tailwater)).toEqual(before);
      await tailwater.close();
    });

    test('of one that is damaged is refused, and leaves nothing', async () => {
      await using cli = await temporaryCli();
      const settings = { ...s3, prefix: freshPrefix('backup') };
      const tailwater = await openOn(cli, settings);
      await fill(tailwater);
      await tailwater.close();
      const store = createS3Store(settings);
      for await (const { key } of listAll(store, 'log/0/entries/')) {
        await store.delete([key]);
        break;
      }
      const { code, stderr } = await backup(cli, settings, join(cli.folder, 'copy'));
      expect([code, JSON.parse(stderr).code]).toEqual([1, 'TW_DATA_DAMAGED']);
      expect((await readdir(cli.folder)).filter(name => name.startsWith('copy'))).toEqual([]);
    });
  });
}
