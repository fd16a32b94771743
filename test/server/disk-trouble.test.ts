import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkFolder } from '../../src/cli/doctor/check-place.ts';
import { Tailwater } from '../../src/index.ts';
import { onSmallDisk } from './small-disk.ts';

const OPTIONS = {
  compactionHost: 'inline',
  compaction: { auto: false },
  collection: { auto: false, graceMs: 1, logHistoryMs: 0, historySlack: 0, catalogEntries: 2 },
} as const;

/** Fills what is left of a disk but for a few kilobytes. Returns how to give it back. */
function fill(path: string, leftKib: number): () => void {
  const { bavail, bsize } = statfsSync(path);
  const ballast = join(path, 'ballast');
  writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - leftKib * 1024)));
  return () => rmSync(ballast);
}

const failureOf = (work: Promise<unknown>): Promise<{ code?: string; message?: string } | null> =>
  work.then(
    () => null,
    error => error,
  );

describe('a disk that fills up', () => {
  test('at any point of a compaction loses nothing, and the compaction succeeds once there is space', async () => {
    await onSmallDisk(16, 'compaction on a full disk', async disk => {
      const dataDir = join(disk.path, 'data');
      let failed = 0;
      {
        const tailwater = await Tailwater.open({ dataDir, ...OPTIONS });
        await tailwater.createStream('s', { kind: 'upsert', key: 'id', search: { fields: ['text'] }, history: 'PT0.001S' });
        let written = 0;
        for (const leftKib of [0, 4, 8, 16, 24, 32, 48, 64, 96, 128]) {
          for (let n = 0; n < 10; n++, written++)
            await tailwater.append('s', [{ value: { id: `k${written % 25}`, text: `parcel ${written}` } }]);
          const free = fill(disk.path, leftKib);
          const failure = await failureOf(tailwater.compact('s'));
          if (failure !== null) {
            expect(failure).toMatchObject({ code: 'TW_STORAGE_FULL' });
            failed++;
          }
          await expectNewest(tailwater, written);
          free();
          await tailwater.compact('s');
          await expectNewest(tailwater, written);
        }
        await tailwater.close();
      }
      expect(failed).toBeGreaterThan(2);
      expect((await checkFolder(dataDir, () => {})).findings).toEqual([]);
    });
  });

  test('at any point of a collection loses nothing, and the next one goes on', async () => {
    await onSmallDisk(16, 'collection on a full disk', async disk => {
      const dataDir = join(disk.path, 'data');
      const tailwater = await Tailwater.open({ dataDir, ...OPTIONS });
      await tailwater.createStream('s', { kind: 'upsert', key: 'id', search: { fields: ['text'] }, history: 'PT0.001S' });
      let written = 0;
      for (const leftKib of [0, 4, 8, 12, 16, 32]) {
        for (let n = 0; n < 10; n++, written++)
          await tailwater.append('s', [{ value: { id: `k${written % 25}`, text: `parcel ${written}` } }]);
        await tailwater.compact('s');
        await tailwater.createStream(`other-${written}`, { kind: 'append' });
        await tailwater.deleteStream(`other-${written}`);
        const free = fill(disk.path, leftKib);
        const report = await tailwater.collect({ thorough: true }).catch(error => ({ problems: [String(error.code)] }));
        for (const problem of report.problems) expect(problem).toContain('TW_STORAGE_FULL');
        await expectNewest(tailwater, written);
        free();
        expect(await tailwater.collect({ thorough: true })).toMatchObject({ problems: [] });
        await expectNewest(tailwater, written);
      }
      await tailwater.close();
      expect((await checkFolder(dataDir, () => {})).findings).toEqual([]);
    });
  });

  test('lets a node open, answer and free space, though not write', async () => {
    await onSmallDisk(16, 'opening on a full disk', async disk => {
      const dataDir = join(disk.path, 'data');
      const writer = await Tailwater.open({ dataDir, ...OPTIONS });
      await writer.createStream('s', { kind: 'upsert', key: 'id', search: { fields: ['text'] }, history: 'PT0.001S' });
      for (let n = 0; n < 30; n++) await writer.append('s', [{ value: { id: `k${n % 25}`, text: `parcel ${n}` } }]);
      await writer.compact('s');
      await writer.close();
      fill(disk.path, 0);
      const reader = await Tailwater.open({ dataDir, ...OPTIONS });
      await expectNewest(reader, 30);
      expect(await failureOf(reader.append('s', [{ value: { id: 'k', text: 'x'.repeat(100_000) } }]))).toMatchObject({
        code: 'TW_STORAGE_FULL',
      });
      await reader.close();
    });
  });
});

/** After `written` appends to 25 keys in turn: the newest of each, found by filter and by text. */
async function expectNewest(tailwater: Tailwater, written: number): Promise<void> {
  const newest = Array.from({ length: written }, (_, n) => n).slice(-25);
  const { hits, freshness } = await tailwater.query('s', { mode: 'filter', filter: {}, limit: 100 });
  expect(freshness.complete).toBe(true);
  expect(hits.map(hit => hit.value.text).sort()).toEqual(newest.map(n => `parcel ${n}`).sort());
  const found = await tailwater.query('s', { mode: 'text', text: 'parcel', limit: 100 });
  expect(found.hits).toHaveLength(newest.length);
}

describe('a data folder that is read-only', () => {
  test('is refused with what is wrong, changes nothing, and the doctor can still verify it', async () => {
    await onSmallDisk(16, 'the read-only folder', async disk => {
      const dataDir = join(disk.path, 'data');
      const tailwater = await Tailwater.open({ dataDir, ...OPTIONS });
      await tailwater.createStream('s', { kind: 'append' });
      await tailwater.append('s', [{ value: { n: 1 } }]);
      await tailwater.compact('s');
      await tailwater.append('s', [{ value: { n: 2 } }]);
      await tailwater.close();
      disk.readOnly();
      const before = readdirSync(dataDir, { recursive: true }).sort();
      const failure = await failureOf(Tailwater.open({ dataDir, ...OPTIONS }));
      expect(failure).toMatchObject({ name: 'TailwaterError', code: 'TW_STORAGE_UNAVAILABLE' });
      expect(failure!.message).toMatch(/read-only|readonly|EROFS/i);
      expect(readdirSync(dataDir, { recursive: true }).sort()).toEqual(before);
      const report = await checkFolder(dataDir, () => {});
      expect(report).toMatchObject({ findings: [], log: { records: 2 } });
    });
  });
});
