import { beforeEach, describe, expect, test } from 'vitest';
import { fromUtf8, seededRandom, utf8 } from '../../src/base/index.ts';
import { FileJournal, type Journal, type TornFacts } from '../../src/journal/index.ts';
import { type DiskCall, SimFileSystem } from '../harness/sim-file-system.ts';

const FOLDER = '/data/log/0';
const FIRST = `${FOLDER}/00000000000000000001.log`;
const HEADER_BYTES = 32;
const FRAME_BYTES = 16;

let fs: SimFileSystem;
let torn: TornFacts[];

beforeEach(() => {
  fs = new SimFileSystem(seededRandom(7));
  torn = [];
});

function open(maxFileBytes?: number): Promise<FileJournal> {
  const size = maxFileBytes === undefined ? {} : { maxFileBytes };
  return FileJournal.open(fs, FOLDER, { random: seededRandom(8), onTorn: facts => torn.push(facts), ...size });
}

function text(seq: number): string {
  return `entry ${seq}`;
}

async function fill(journal: Journal, first: number, last: number): Promise<void> {
  for (let seq = first; seq <= last; seq++) expect(await journal.create(seq, utf8(text(seq)))).toEqual({ kind: 'ok' });
}

async function textsOf(journal: Journal, first = 1): Promise<string[]> {
  const texts: string[] = [];
  for (let seq = first; ; seq++) {
    const bytes = await journal.read(seq);
    if (bytes === null) return texts;
    texts.push(fromUtf8(bytes));
  }
}

function expectedTexts(last: number): string[] {
  return Array.from({ length: last }, (_, index) => text(index + 1));
}

function positionOf(seq: number): number {
  let position = HEADER_BYTES;
  for (let before = 1; before < seq; before++) position += FRAME_BYTES + text(before).length;
  return position;
}

/** Overwrites bytes as a bad disk would, durably and unnoticed. */
async function overwrite(path: string, position: number, bytes: Uint8Array): Promise<void> {
  const file = await fs.open(path, 'write');
  await file.write(bytes, position);
  await file.datasync();
}

describe('a commit', () => {
  test('is one write and one fdatasync of the active file, and nothing else', async () => {
    const journal = await open();
    const before = fs.calls.length;
    await fill(journal, 1, 3);
    expect(fs.calls.slice(before).map(({ call }) => call)).toEqual(Array(3).fill(['write', 'datasync']).flat());
  });

  test('never overlaps another: creates asked for together are written one after the other', async () => {
    const journal = await open();
    const before = fs.calls.length;
    await Promise.all([1, 2, 3, 4].map(seq => journal.create(seq, utf8(text(seq)))));
    expect(fs.calls.slice(before).map(({ call }) => call)).toEqual(Array(4).fill(['write', 'datasync']).flat());
    expect(await textsOf(journal)).toEqual(expectedTexts(4));
  });

  test('that would leave a gap is refused', async () => {
    await expect((await open()).create(2, utf8('two'))).rejects.toMatchObject({ code: 'TW_INTERNAL' });
  });
});

describe('rotation', () => {
  test('names each file by its first entry, and makes the name durable before the first frame', async () => {
    const journal = await open(120);
    await fill(journal, 1, 12);
    const names = fs.paths().map(path => path.slice(FOLDER.length + 1));
    expect(names.length).toBeGreaterThan(2);
    const second = `${FOLDER}/${names.sort()[1]}`;
    const calls = fs.calls.map(({ call, path }: DiskCall) => `${call} ${path}`);
    const named = calls.indexOf(`rename ${second}`);
    expect(calls.indexOf(`syncFolder ${FOLDER}`, named)).toBeLessThan(calls.indexOf(`write ${second}`, named));
    expect(await textsOf(journal)).toEqual(expectedTexts(12));
    expect(journal.stats().rotations).toBe(names.length - 1);
  });

  test('that fails for want of space leaves the journal as it was, and works once there is space', async () => {
    const journal = await open(120);
    await fill(journal, 1, 3);
    const size = fs.bytesOf(FIRST).length;
    fs.capacityBytes = size;
    await expect(journal.create(4, utf8(text(4).padEnd(100)))).rejects.toMatchObject({ code: 'TW_STORAGE_FULL' });
    expect(fs.paths()).toEqual([FIRST]);
    fs.capacityBytes = Number.POSITIVE_INFINITY;
    await fill(journal, 4, 9);
    expect(await textsOf(journal)).toEqual(expectedTexts(9));
  });

  test('whose name could not be made durable takes the name back before anything else is written', async () => {
    const journal = await open(120);
    await fill(journal, 1, 3);
    let failures = 0;
    fs.fault = ({ call }) => (call === 'syncFolder' && failures++ === 0 ? { code: 'EIO' } : null);
    await expect(journal.create(4, utf8(text(4).padEnd(100)))).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
    expect(fs.paths()).toEqual([FIRST]);
    await fill(journal, 4, 9);
    await journal.close();
    expect(await textsOf(await open(120))).toEqual(expectedTexts(9));
  });

  test('stops the journal when neither the new name nor its removal can be made durable', async () => {
    const journal = await open(120);
    await fill(journal, 1, 3);
    fs.fault = ({ call }) => (call === 'syncFolder' ? { code: 'EIO' } : null);
    await expect(journal.create(4, utf8(text(4).padEnd(100)))).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
    fs.fault = () => null;
    await expect(journal.create(4, utf8(text(4)))).rejects.toMatchObject({ code: 'TW_SHARD_STOPPED' });
    expect(await textsOf(journal)).toEqual(expectedTexts(3));
    await journal.close();
    expect(await textsOf(await open(120))).toEqual(expectedTexts(3));
  });
});

describe('collecting', () => {
  test('gives back the file in use too, once nothing needs any of it, and goes on after the last entry', async () => {
    const journal = await open(10_000);
    await fill(journal, 1, 12);
    await journal.writeCheckpoint({ seq: 12, bytes: utf8('state') });
    await journal.raiseFloor(12);
    await journal.collect();
    expect(fs.bytesOf(FIRST).length).toBeGreaterThan(12 * FRAME_BYTES);
    await journal.raiseFloor(13);
    for (let run = 0; run < 2; run++) await journal.collect();
    const logs = fs.paths().filter(path => path.endsWith('.log'));
    expect(logs.map(path => fs.bytesOf(path).length)).toEqual([HEADER_BYTES]);
    await journal.close();
    const reopened = await open(10_000);
    await reopened.collect();
    expect(await reopened.create(12, utf8('again'))).toEqual({ kind: 'below-floor', floor: 13 });
    await fill(reopened, 13, 14);
    expect(await textsOf(reopened, 13)).toEqual([text(13), text(14)]);
  });

  test('leaves everything as it is when there is no space for a new file', async () => {
    const journal = await open(10_000);
    await fill(journal, 1, 12);
    await journal.writeCheckpoint({ seq: 12, bytes: utf8('state') });
    await journal.raiseFloor(13);
    fs.capacityBytes = fs.paths().reduce((sum, path) => sum + fs.bytesOf(path).length, 0);
    await expect(journal.collect()).rejects.toMatchObject({ code: 'TW_STORAGE_FULL' });
    fs.capacityBytes = Number.POSITIVE_INFINITY;
    await fill(journal, 13, 13);
    expect(await textsOf(journal, 13)).toEqual([text(13)]);
  });

  test('deletes whole files below the floor, never the last one', async () => {
    const journal = await open(120);
    await fill(journal, 1, 12);
    const before = fs.paths().length;
    await journal.writeCheckpoint({ seq: 12, bytes: utf8('state') });
    await journal.raiseFloor(13);
    await journal.collect();
    const logs = fs.paths().filter(path => path.endsWith('.log'));
    expect(logs).toHaveLength(1);
    expect(before).toBeGreaterThan(2);
    await fill(journal, 13, 15);
    await journal.close();
    const reopened = await open(120);
    expect(reopened.stats()).toMatchObject({ entries: 15, floor: 13 });
  });

  test('that died half way is finished at the next start', async () => {
    const journal = await open(60);
    await fill(journal, 1, 8);
    await journal.writeCheckpoint({ seq: 8, bytes: utf8('state') });
    await journal.raiseFloor(8);
    await fs.unlink(`${FOLDER}/00000000000000000003.log`);
    await journal.close();
    const reopened = await open(60);
    expect(await textsOf(reopened, 8)).toEqual([text(8)]);
    expect(fs.paths().filter(path => path.endsWith('.log')).length).toBeLessThanOrEqual(2);
  });

  test('keeps one checkpoint', async () => {
    const journal = await open();
    await fill(journal, 1, 6);
    for (const seq of [2, 4, 6]) await journal.writeCheckpoint({ seq, bytes: utf8('state') });
    expect(fs.paths().filter(path => path.includes('checkpoint'))).toEqual([`${FOLDER}/checkpoint-00000000000000000006`]);
  });
});

describe('opening', () => {
  test('cuts a torn end, keeps its bytes and reports them', async () => {
    const journal = await open();
    await fill(journal, 1, 5);
    const end = fs.bytesOf(FIRST).length;
    const half = utf8('half a frame');
    await overwrite(FIRST, end, half);
    fs = fs.kill();
    const reopened = await open();
    expect(torn).toEqual([
      { file: FIRST.slice(FOLDER.length + 1), position: end, bytes: half.length, keptAs: expect.stringMatching(/\.torn$/) },
    ]);
    expect(fs.bytesOf(`${FOLDER}/${torn[0].keptAs}`)).toEqual(half);
    expect(fs.bytesOf(FIRST)).toHaveLength(end);
    await fill(reopened, 6, 7);
    expect(await textsOf(reopened)).toEqual(expectedTexts(7));
  });

  test('cuts a torn end also when there is no space to keep it', async () => {
    const journal = await open();
    await fill(journal, 1, 5);
    await overwrite(FIRST, fs.bytesOf(FIRST).length, utf8('half a frame'));
    fs = fs.kill();
    fs.capacityBytes = 0;
    expect(await textsOf(await open())).toEqual(expectedTexts(5));
    expect(torn).toMatchObject([{ keptAs: null }]);
  });

  test('takes zeros at the end, which a crash leaves of a frame, for a torn end', async () => {
    const journal = await open();
    await fill(journal, 1, 5);
    await overwrite(FIRST, fs.bytesOf(FIRST).length, new Uint8Array(300));
    fs = fs.kill();
    expect(await textsOf(await open())).toEqual(expectedTexts(5));
    expect(torn).toMatchObject([{ bytes: 300 }]);
  });

  test('takes a torn frame that quotes whole frames of a journal for a torn end', async () => {
    const journal = await open();
    await fill(journal, 1, 5);
    // An entry whose payload is a journal file of the same numbers: only the salt tells them apart.
    const other = new SimFileSystem(seededRandom(3));
    const quoted = await FileJournal.open(other, FOLDER, { random: seededRandom(4) });
    await fill(quoted, 1, 12);
    const end = fs.bytesOf(FIRST).length;
    await journal.create(6, other.bytesOf(FIRST));
    await overwrite(FIRST, end, new Uint8Array(4));
    fs = fs.kill();
    expect(await textsOf(await open())).toEqual(expectedTexts(5));
  });

  test('refuses damage that acknowledged entries follow', async () => {
    const journal = await open();
    await fill(journal, 1, 5);
    fs = fs.kill();
    for (const [seq, offset] of [
      [1, FRAME_BYTES],
      [3, 0],
      [4, 5],
      [4, 13],
    ]) {
      const position = positionOf(seq) + offset;
      const kept = fs.bytesOf(FIRST).slice(position, position + 1);
      await overwrite(FIRST, position, new Uint8Array([kept[0] ^ 0x55]));
      await expect(open()).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED', data: { seq } });
      await overwrite(FIRST, position, kept);
    }
    expect(await textsOf(await open())).toEqual(expectedTexts(5));
    expect(torn).toEqual([]);
  });

  test('refuses damage of the last entry before a seal', async () => {
    const journal = await open();
    await fill(journal, 1, 5);
    await journal.close();
    await overwrite(FIRST, positionOf(5) + FRAME_BYTES, utf8('X'));
    await expect(open()).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED', data: { seq: 5 } });
  });

  test('refuses an end that is cut below what a checkpoint holds, and cuts nothing more', async () => {
    const journal = await open();
    await fill(journal, 1, 5);
    await journal.writeCheckpoint({ seq: 4, bytes: utf8('four') });
    await journal.close();
    for (const [length, isLost] of [
      [positionOf(5), false],
      [positionOf(5) - 1, true],
      [positionOf(2), true],
    ] as const) {
      const file = await fs.open(FIRST, 'write');
      await file.truncate(length);
      await file.datasync();
      if (!isLost) {
        expect(await textsOf(await open())).toEqual(expectedTexts(4));
        continue;
      }
      await expect(open()).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED', data: { file: '00000000000000000001.log' } });
      expect((await fs.stat(FIRST))!.size).toBe(length);
    }
    await fs.unlink(FIRST);
    await expect(open()).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
  });

  test('goes on behind a seal, and cuts a torn first frame there', async () => {
    await fill(await open(), 1, 2);
    for (const life of [0, 1, 2]) {
      const journal = await open();
      await fill(journal, 3 + life, 3 + life);
      await journal.close();
    }
    await overwrite(FIRST, fs.bytesOf(FIRST).length, utf8('torn'));
    const journal = await open();
    await fill(journal, 6, 7);
    expect(await textsOf(journal)).toEqual(expectedTexts(7));
    expect(torn).toHaveLength(1);
  });

  test('adds no second seal when nothing was written in between', async () => {
    const journal = await open();
    await fill(journal, 1, 2);
    await journal.close();
    const size = fs.bytesOf(FIRST).length;
    for (let life = 0; life < 3; life++) await (await open()).close();
    expect(fs.bytesOf(FIRST)).toHaveLength(size);
  });

  test('refuses a journal whose files are missing or of a newer format', async () => {
    const journal = await open(120);
    await fill(journal, 1, 9);
    await journal.close();
    const kept = fs.bytesOf(FIRST).slice();
    await fs.unlink(FIRST);
    await expect(open()).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
    kept[5] = 2;
    const file = await fs.open(FIRST, 'create');
    await file.write(kept, 0);
    for (const path of fs.paths()) if (path !== FIRST) await fs.unlink(path);
    await expect(open()).rejects.toMatchObject({ code: 'TW_FORMAT_TOO_NEW' });
  });

  test('finds damage in an older file when it is read, and serves the entries of other files', async () => {
    const journal = await open(120);
    await fill(journal, 1, 12);
    await journal.close();
    await overwrite(FIRST, positionOf(2) + FRAME_BYTES, utf8('X'));
    const reopened = await open(120);
    await expect(reopened.read(1)).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
    expect(fromUtf8((await reopened.read(12))!)).toBe(text(12));
  });

  test('syncs what a killed process wrote before anyone sees it', async () => {
    const journal = await open();
    await fill(journal, 1, 2);
    fs.fault = ({ call }) => (call === 'datasync' ? { code: 'EIO' } : null);
    void journal.create(3, utf8(text(3))).catch(() => {});
    await Promise.resolve();
    fs = fs.kill();
    const before = fs.calls.length;
    await open();
    expect(fs.calls.slice(before).some(({ call, path }) => call === 'datasync' && path === FIRST)).toBe(true);
  });
});

describe('what a failed sync left behind', () => {
  test.each([
    ['an entry', (journal: FileJournal) => journal.create(3, utf8(text(3)))],
    ['a seal', (journal: FileJournal) => journal.close()],
  ])('%s: what the next process serves survives the machine, although its pages counted as clean', async (_, last) => {
    for (let seed = 1; seed <= 40; seed++) {
      fs = new SimFileSystem(seededRandom(seed));
      const journal = await open();
      await fill(journal, 1, 2);
      // The sync fails, and the process dies before it can cut the file back.
      fs.fault = ({ call }) => (call === 'datasync' ? { code: 'EIO' } : null);
      fs.crashAtCall = fs.calls.length + 2;
      await last(journal).catch(() => {});
      fs = fs.kill();
      const next = await open();
      const seen = await textsOf(next);
      await fill(next, seen.length + 1, 5);
      fs = fs.crash();
      expect(await textsOf(await open())).toEqual(expectedTexts(5));
    }
  });
});

describe('a failed write or sync', () => {
  test('on a full disk is refused with TW_STORAGE_FULL, and writing goes on when there is space again', async () => {
    const journal = await open();
    await fill(journal, 1, 3);
    const size = fs.bytesOf(FIRST).length;
    fs.capacityBytes = size + 10;
    await expect(journal.create(4, utf8(text(4)))).rejects.toMatchObject({ code: 'TW_STORAGE_FULL' });
    expect(fs.bytesOf(FIRST)).toHaveLength(size);
    fs.capacityBytes = Number.POSITIVE_INFINITY;
    await fill(journal, 4, 6);
    expect(await textsOf(journal)).toEqual(expectedTexts(6));
    expect(journal.stats()).toMatchObject({ recoveries: 1, stopped: 0 });
  });

  test('that can be cut back was certainly not written, and the next entry takes the number', async () => {
    const journal = await open();
    await fill(journal, 1, 3);
    let failed = false;
    fs.fault = ({ call }) => {
      if (call !== 'datasync' || failed) return null;
      failed = true;
      return { code: 'EIO' };
    };
    await expect(journal.create(4, utf8('never'))).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
    expect(await journal.read(4)).toBeNull();
    await fill(journal, 4, 5);
    fs = fs.crash();
    expect(await textsOf(await open())).toEqual(expectedTexts(5));
  });

  test('that cannot be cut back has an unknown outcome and stops the journal; reading goes on', async () => {
    const journal = await open();
    await fill(journal, 1, 3);
    fs.fault = ({ call }) => (call === 'datasync' || call === 'truncate' ? { code: 'EIO' } : null);
    expect(await journal.create(4, utf8(text(4)))).toMatchObject({ kind: 'unknown' });
    fs.fault = () => null;
    await expect(journal.create(4, utf8(text(4)))).rejects.toMatchObject({ code: 'TW_SHARD_STOPPED' });
    await expect(journal.create(5, utf8(text(5)))).rejects.toMatchObject({ code: 'TW_SHARD_STOPPED' });
    expect(await textsOf(journal)).toEqual(expectedTexts(3));
    await journal.close();
    fs = fs.crash();
    const texts = await textsOf(await open());
    expect([expectedTexts(3), expectedTexts(4)]).toContainEqual(texts);
  });

  test('of the floor leaves the old floor in force', async () => {
    const journal = await open();
    await fill(journal, 1, 5);
    await journal.writeCheckpoint({ seq: 5, bytes: utf8('state') });
    fs.fault = ({ path }) => (path.includes('tmp-') ? { code: 'ENOSPC' } : null);
    await expect(journal.raiseFloor(4)).rejects.toMatchObject({ code: 'TW_STORAGE_FULL' });
    fs.fault = () => null;
    expect(await journal.floor()).toBe(1);
    expect(fs.paths().filter(path => path.includes('tmp-'))).toEqual([]);
  });
});

describe('closing', () => {
  test('waits for the commit under way, then refuses everything', async () => {
    const journal = await open();
    const created = journal.create(1, utf8(text(1)));
    await journal.close();
    expect(await created).toEqual({ kind: 'ok' });
    await expect(journal.create(2, utf8(text(2)))).rejects.toMatchObject({ code: 'TW_CLOSED' });
    await expect(journal.raiseFloor(1)).rejects.toMatchObject({ code: 'TW_CLOSED' });
    await expect(journal.read(1)).rejects.toMatchObject({ code: 'TW_CLOSED' });
    await journal.close();
    expect(await textsOf(await open())).toEqual(expectedTexts(1));
  });

  test('on a full disk leaves no seal and no error', async () => {
    const journal = await open();
    await fill(journal, 1, 3);
    fs.capacityBytes = 0;
    await journal.close();
    fs.capacityBytes = Number.POSITIVE_INFINITY;
    expect(await textsOf(await open())).toEqual(expectedTexts(3));
  });
});
