import { beforeEach, describe, expect, test } from 'vitest';
import { fromUtf8, seededRandom, utf8 } from '../../src/base/index.ts';
import { encodeFileHeader } from '../../src/journal/frame.ts';
import { FileJournal, type Journal } from '../../src/journal/index.ts';
import { SimFileSystem } from '../harness/sim-file-system.ts';
import { seeds, simulate } from '../harness/simulate.ts';

const FOLDER = '/log';
const FIRST = `${FOLDER}/00000000000000000001.log`;

let fs: SimFileSystem;

beforeEach(() => {
  fs = new SimFileSystem(seededRandom(1));
});

function own(maxFileBytes = 150): Promise<FileJournal> {
  return FileJournal.open(fs, FOLDER, { random: seededRandom(2), maxFileBytes });
}

async function append(journal: Journal, first: number, last: number): Promise<void> {
  for (let seq = first; seq <= last; seq++) expect(await journal.create(seq, utf8(`entry ${seq}`))).toEqual({ kind: 'ok' });
}

async function textOf(journal: Journal, seq: number): Promise<string | null> {
  const bytes = await journal.read(seq);
  return bytes === null ? null : fromUtf8(bytes);
}

describe('a journal opened for reading', () => {
  test('sees what its owner appends, across new files, restarts and seals', async () => {
    const reader = await FileJournal.openReadOnly(fs, FOLDER);
    expect(await reader.read(1)).toBeNull();
    let last = 0;
    for (let life = 0; life < 4; life++) {
      const owner = await own();
      for (let count = 0; count < 5; count++) {
        last++;
        await append(owner, last, last);
        expect(await textOf(reader, last)).toBe(`entry ${last}`);
        expect(await reader.read(last + 1)).toBeNull();
      }
      await owner.close();
    }
    for (let seq = 1; seq <= last; seq++) expect(await textOf(reader, seq)).toBe(`entry ${seq}`);
  });

  test('does not find an incomplete last frame, and finds it once it is whole', async () => {
    const owner = await own();
    await append(owner, 1, 2);
    const reader = await FileJournal.openReadOnly(fs, FOLDER);
    expect(await textOf(reader, 2)).toBe('entry 2');
    const whole = fs.bytesOf(FIRST).length;
    await append(owner, 3, 3);
    const frame = fs.bytesOf(FIRST).slice(whole);
    const file = await fs.open(FIRST, 'write');
    for (let length = 0; length < frame.length; length++) {
      await file.truncate(whole);
      await file.write(frame.subarray(0, length), whole);
      expect(await reader.read(3)).toBeNull();
    }
    await file.write(frame, whole);
    expect(await textOf(reader, 3)).toBe('entry 3');
  });

  test('follows its owner when a frame it has seen is cut back and another takes its number', async () => {
    const owner = await own(1000);
    await append(owner, 1, 2);
    const reader = await FileJournal.openReadOnly(fs, FOLDER);
    let failed = false;
    let seen: string | null = null;
    fs.fault = ({ call }) => {
      if (call !== 'datasync' || failed) return null;
      failed = true;
      return { code: 'EIO' };
    };
    const doomed = owner.create(3, utf8('a long entry whose sync fails'));
    const looking = textOf(reader, 3).then(text => {
      seen = text;
    });
    await expect(doomed).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
    await looking;
    expect([null, 'a long entry whose sync fails']).toContain(seen);
    expect(await reader.read(3)).toBeNull();
    await append(owner, 3, 6);
    for (let seq = 1; seq <= 6; seq++) expect(await textOf(reader, seq)).toBe(`entry ${seq}`);
  });

  test('finds nothing where files were collected, and reads the floor that tells why', async () => {
    const owner = await own();
    await append(owner, 1, 20);
    const reader = await FileJournal.openReadOnly(fs, FOLDER);
    expect(await textOf(reader, 20)).toBe('entry 20');
    await owner.writeCheckpoint({ seq: 15, bytes: utf8('state') });
    await owner.raiseFloor(16);
    await owner.collect();
    expect(await reader.read(1)).toBeNull();
    expect(await reader.floor()).toBe(16);
    expect((await reader.latestCheckpoint())!.seq).toBe(15);
    expect(await textOf(reader, 16)).toBe('entry 16');
  });

  test('opens the file anew that its owner took back and made again', async () => {
    const owner = await own(60);
    await append(owner, 1, 3);
    await owner.close();
    const reader = await FileJournal.openReadOnly(fs, FOLDER);
    const next = `${FOLDER}/00000000000000000004.log`;
    const file = await fs.open(next, 'create');
    await file.write(encodeFileHeader(4, new Uint8Array(8).fill(9)), 0);
    expect(await reader.read(4)).toBeNull();
    await fs.unlink(next);
    await append(await own(60), 4, 6);
    for (let seq = 1; seq <= 6; seq++) expect(await textOf(reader, seq)).toBe(`entry ${seq}`);
  });

  test('refuses everything that writes', async () => {
    const reader = await FileJournal.openReadOnly(fs, FOLDER);
    for (const call of [
      () => reader.create(1, utf8('x')),
      () => reader.raiseFloor(1),
      () => reader.collect(),
      () => reader.writeCheckpoint({ seq: 1, bytes: utf8('x') }),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'TW_INTERNAL' });
    }
  });

  test('reports damage of an entry, also where it makes later ones unreadable', async () => {
    const owner = await own();
    await append(owner, 1, 20);
    fs.bytesOf(FIRST)[50] ^= 1;
    const reader = await FileJournal.openReadOnly(fs, FOLDER);
    await expect(reader.read(1)).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
    const last = fs
      .paths()
      .filter(path => path.endsWith('.log'))
      .sort()
      .at(-1)!;
    await append(owner, 21, 21);
    fs.bytesOf(last)[50] ^= 1;
    const late = await FileJournal.openReadOnly(fs, FOLDER);
    await expect(late.read(21)).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
    await reader.close();
    await expect(reader.read(1)).rejects.toMatchObject({ code: 'TW_CLOSED' });
  });

  test('racing with an owner that writes, rotates, fails and collects, finds only true entries, and every acknowledged one', async () => {
    for (const seed of seeds(1, 60)) {
      await simulate(seed, async ({ random }) => {
        const disk = new SimFileSystem(random);
        const owner = await FileJournal.open(disk, FOLDER, { random, maxFileBytes: 200 });
        const reader = await FileJournal.openReadOnly(disk, FOLDER);
        disk.fault = ({ call }) => (['write', 'datasync'].includes(call) && random.float() < 0.08 ? { code: 'EIO' } : null);
        let acknowledged = 0;
        let attempts = 0;
        const texts: string[] = [];
        const write = async (): Promise<void> => {
          while (acknowledged < 60 && owner.stats().stopped === 0) {
            const seq = acknowledged + 1;
            const text = `entry ${seq} ${'x'.repeat(attempts++ % 7)}`;
            const outcome = await owner.create(seq, utf8(text)).catch(() => null);
            if (outcome?.kind !== 'ok') continue;
            texts[seq] = text;
            acknowledged = seq;
            if (seq % 15 === 0) await tidy(owner, acknowledged);
          }
        };
        const read = async (): Promise<void> => {
          for (let look = 0; look < 150; look++) {
            const seq = 1 + Math.floor(random.float() * (acknowledged + 1));
            const certain = seq <= acknowledged;
            const text = await textOf(reader, seq);
            if (text !== null && certain) expect(text).toBe(texts[seq]);
            if (text === null && certain) expect(await reader.floor()).toBeGreaterThan(seq);
          }
        };
        await Promise.all([write(), read()]);
      });
    }
  });
});

async function tidy(owner: FileJournal, seq: number): Promise<void> {
  try {
    await owner.writeCheckpoint({ seq, bytes: utf8('state') });
    await owner.raiseFloor(Math.max(1, seq - 8));
    await owner.collect();
  } catch {
    // The disk fails at random here: housekeeping is tried again later.
  }
}
