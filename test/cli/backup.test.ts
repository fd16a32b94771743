import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.ts';
import { backupFolder } from '../../src/cli/backup/backup-folder.ts';
import { Tailwater } from '../../src/index.ts';
import { temporaryEngine } from '../server/engine-support.ts';

const AT_ONCE = { auto: false, graceMs: 0, logHistoryMs: 0, historySlack: 0 };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailwater-backup-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function backup(dataDir: string, name: string) {
  return backupFolder(dataDir, join(folder, name), { clock: systemClock, progress: () => {} });
}

async function idsIn(tailwater: Tailwater, stream: string): Promise<number[]> {
  const { rows } = await tailwater.sql(`SELECT id FROM ${stream} ORDER BY id`);
  return rows.map(([id]) => Number(id));
}

describe('a backup', () => {
  test('taken while records are written, compacted and collected has all that was acknowledged before, and is a database of its own', {
    timeout: 180_000,
  }, async () => {
    await using engine = await temporaryEngine({ collection: AT_ONCE });
    const { tailwater, dataDir } = engine;
    await tailwater.createStream('events', { kind: 'append' });
    await tailwater.createStream('docs', { kind: 'upsert', key: 'id', search: { fields: ['text'] }, history: 'PT0.001S' });
    let acknowledged = -1;
    let running = true;
    const busy = (async () => {
      for (let id = 0; running; id++) {
        await tailwater.append('events', [{ value: { id } }]);
        await tailwater.append('docs', [{ value: { id: `d${id % 10}`, n: id, text: `storm ${id}` } }]);
        acknowledged = id;
        if (id % 20 === 19) await Promise.all([tailwater.compact('events'), tailwater.compact('docs', { full: true })]);
        if (id % 50 === 49) await tailwater.collect();
        if (id % 30 === 29) await tailwater.createStream(`more-${id}`, { kind: 'append' });
      }
    })();
    const copies: { name: string; before: number; records: number }[] = [];
    for (const name of ['one', 'two', 'three']) {
      await systemClock.sleep(400);
      const before = acknowledged;
      copies.push({ name, before, ...(await backup(dataDir, name)) });
    }
    running = false;
    await busy;
    expect((await tailwater.collect()).problems).toEqual([]);
    for (const { name, before } of copies) {
      await using copy = await openCopy(name);
      const ids = await idsIn(copy.tailwater, 'events');
      expect(before, 'something was written before').toBeGreaterThan(0);
      expect(ids.length).toBeGreaterThan(before);
      expect(ids).toEqual(Array.from(ids, (_, id) => id));
      const { hits } = await copy.tailwater.query('docs', { text: 'storm', limit: 100 });
      expect(hits).toHaveLength(Math.min(10, ids.length));
      await copy.tailwater.append('events', [{ value: { id: ids.length } }]);
      await copy.tailwater.compact('events');
      expect(await idsIn(copy.tailwater, 'events')).toHaveLength(ids.length + 1);
    }
    expect(await idsIn(tailwater, 'events')).toHaveLength(acknowledged + 1);
  });

  test('of a damaged folder, or to where it must not be, is refused, and leaves nothing', async () => {
    await using engine = await temporaryEngine();
    const { tailwater, dataDir } = engine;
    await tailwater.createStream('docs', { kind: 'append' });
    await tailwater.append('docs', [{ value: { n: 1 } }]);
    await mkdir(join(folder, 'taken'));
    for (const target of [join(folder, 'taken'), dataDir, join(dataDir, 'inside')]) {
      const taken = backupFolder(dataDir, target, { clock: systemClock, progress: () => {} });
      await expect(taken, target).rejects.toMatchObject({ code: 'TW_SETTING' });
    }
    await tailwater.close();
    const log = join(dataDir, 'log', '0');
    const [name] = readdirSync(log).filter(file => file.endsWith('.log'));
    const bytes = await readFile(join(log, name));
    bytes[bytes.length >> 1] ^= 1;
    await writeFile(join(log, name), bytes);
    await expect(backup(dataDir, 'damaged')).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
    expect(existsSync(join(folder, 'damaged'))).toBe(false);
    expect(readdirSync(folder).filter(file => file.startsWith('damaged'))).toEqual([]);
    expect(existsSync(join(dataDir, 'inside'))).toBe(false);
  });
});

async function openCopy(name: string): Promise<{ tailwater: Tailwater } & AsyncDisposable> {
  const tailwater = await Tailwater.open({ dataDir: join(folder, name), compactionHost: 'inline', compaction: { auto: false } });
  return { tailwater, [Symbol.asyncDispose]: () => tailwater.close() };
}
