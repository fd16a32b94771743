import { beforeAll, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/index.ts';
import type { DoctorReport } from '../../src/cli/doctor/check-place.ts';
import { createS3Store, listAll, type ObjectStore, type S3Settings } from '../../src/storage/index.ts';
import { type TestCli, temporaryCli } from '../cli/cli-support.ts';
import { freshPrefix, makeBucket, realS3 } from '../harness/real-s3.ts';
import { environmentOf, fill, openOn } from './s3-data.ts';

async function examined(cli: TestCli, s3: S3Settings): Promise<{ code: number; report: DoctorReport }> {
  const env = environmentOf(s3);
  const { code, stdout, stderr } = await cli.run(['doctor', '--json', '--s3-region', s3.region], { env });
  if (stdout === '') throw new Error(stderr);
  return { code, report: JSON.parse(stdout) };
}

async function listed(store: ObjectStore): Promise<string[]> {
  const lines: string[] = [];
  for await (const { key, size } of listAll(store, '')) lines.push(`${key} ${size} ${(await store.head(key))?.etag}`);
  return lines;
}

const s3 = realS3();
if (s3 === null) {
  test('a doctor of deployments on S3 is left out', () => {
    console.log('Left out: doctor on S3. To include it: eval "$(test/storage/real-s3.sh start)"');
    expect(s3).toBeNull();
  });
} else {
  beforeAll(() => makeBucket(s3));
  describe('doctor of a deployment on S3', () => {
    test('finds nothing wrong with a sound one, and changes nothing', async () => {
      await using cli = await temporaryCli();
      const settings = { ...s3, prefix: freshPrefix('doctor') };
      const tailwater = await openOn(cli, settings);
      await fill(tailwater);
      await tailwater.close();
      const store = createS3Store(settings);
      const before = await listed(store);
      const { code, report } = await examined(cli, settings);
      expect({ code, findings: report.findings, orphans: report.orphans }).toEqual({ code: 0, findings: [], orphans: [] });
      expect(report).toMatchObject({ folder: `s3://${settings.bucket}/${settings.prefix}`, formatVersion: 1 });
      expect(report.log).toMatchObject({ floor: 1, head: report.log.segments, torn: [] });
      const shown = report.streams.map(({ name, rows, changes }) => ({ name, rows, changes }));
      expect(shown).toContainEqual({ name: 'docs', rows: 3, changes: 5 });
      expect(shown).toContainEqual({ name: 'events', rows: 8, changes: 0 });
      expect(await listed(store)).toEqual(before);
    });

    test('finds nothing wrong while a node appends, compacts and collects', async () => {
      await using cli = await temporaryCli();
      const settings = { ...s3, prefix: freshPrefix('doctor') };
      const tailwater = await openOn(cli, settings);
      await fill(tailwater);
      let busy = true;
      const work = (async () => {
        for (let n = 0; busy; n++) {
          await tailwater.append('docs', [{ value: { id: `d${n % 5}`, text: `more ${n}` } }]);
          await tailwater.append('events', [{ key: `k${n}`, value: { n } }]);
          if (n % 4 === 3) for (const name of ['docs', 'events']) await tailwater.compact(name);
          if (n % 8 === 7) await tailwater.collect();
        }
      })();
      for (let round = 0; round < 2; round++) expect((await examined(cli, settings)).report.findings).toEqual([]);
      busy = false;
      await work;
      await tailwater.close();
    });

    test('names what is damaged or missing, and what other engines left', async () => {
      await using cli = await temporaryCli();
      const settings = { ...s3, prefix: freshPrefix('doctor') };
      const tailwater = await openOn(cli, settings);
      await fill(tailwater);
      await tailwater.close();
      const store = createS3Store(settings);
      const keys: string[] = [];
      for await (const { key } of listAll(store, '')) keys.push(key);
      const data = keys.find(key => /^data\/iceberg\/.*\/data\/.*\.parquet$/.test(key))!;
      const [, segment] = keys.filter(key => key.startsWith('log/0/entries/'));
      const statistics = keys.find(key => key.includes('/statistics/'))!;
      const folder = data.slice('data/iceberg/'.length, data.lastIndexOf('/'));
      await store.put(`data/iceberg/${folder}/00000-1-theirs.parquet`, utf8('whatever'));
      expect((await examined(cli, settings)).report).toMatchObject({
        findings: [],
        otherEngines: { recent: [`${folder}/00000-1-theirs.parquet`] },
      });
      // As if somebody had replaced it: the object itself has a checksum that is right.
      await store.put(data, utf8('not the rows'));
      await store.delete([segment, statistics]);
      const { code, report } = await examined(cli, settings);
      expect(code).toBe(1);
      const areas = new Set(report.findings.map(({ area }) => area));
      for (const area of ['log', 'states', 'table']) expect(areas).toContain(area);
      expect(report.findings.find(({ area }) => area === 'table')!.detail).toContain(data.slice('data/iceberg/'.length));
    });

    test('says that nothing is there, and makes nothing', async () => {
      await using cli = await temporaryCli();
      const settings = { ...s3, prefix: freshPrefix('doctor') };
      const { code, report } = await examined(cli, settings);
      expect([code, report.findings[0].area]).toEqual([1, 'format']);
      expect(await listed(createS3Store(settings))).toEqual([]);
    });
  });
}
