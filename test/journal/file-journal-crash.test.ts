import { describe, expect, test } from 'vitest';
import { fromUtf8, isTailwaterError, type Random, seededRandom, utf8 } from '../../src/base/index.ts';
import { FileJournal } from '../../src/journal/index.ts';
import { type DiskCall, SimFileSystem } from '../harness/sim-file-system.ts';
import { seeds, simulate } from '../harness/simulate.ts';

const FOLDER = '/data/log/0';
const OPTIONS = { maxFileBytes: 700 };

/** What a client knows: acknowledged entries, and at most one whose answer it never got. */
interface Known {
  acknowledged: string[];
  inDoubt: string | null;
  floor: number;
}

/** Grows by random texts, some larger than a sector, with checkpoints, floors and collections in between. */
async function work(fs: SimFileSystem, random: Random, known: Known, entries: number): Promise<void> {
  const journal = await FileJournal.open(fs, FOLDER, { random, ...OPTIONS });
  for (let count = 0; count < entries; count++) {
    const seq = known.acknowledged.length + 1;
    const text = `entry ${seq} of ${Math.floor(random.float() * 1e9)} ${'x'.repeat(random.float() * (count % 5 === 0 ? 1500 : 60))}`;
    known.inDoubt = text;
    const outcome = await journal.create(seq, utf8(text));
    if (outcome.kind !== 'ok') throw new Error(`Outcome ${outcome.kind}`);
    known.acknowledged.push(text);
    known.inDoubt = null;
    if (count % 6 === 5) await tidy(journal, known, seq);
  }
  await journal.close();
}

async function tidy(journal: FileJournal, known: Known, seq: number): Promise<void> {
  await journal.writeCheckpoint({ seq, bytes: utf8(`state ${seq}`) });
  await journal.raiseFloor(seq - 2);
  known.floor = seq - 2;
  await journal.collect();
}

/** Everything acknowledged is there, in place; nothing else is, but perhaps the one in doubt, once, at the end. */
async function verify(fs: SimFileSystem, random: Random, known: Known): Promise<void> {
  const journal = await FileJournal.open(fs, FOLDER, { random, ...OPTIONS });
  const floor = await journal.floor();
  expect(floor).toBeGreaterThanOrEqual(known.floor);
  if (floor > 1) expect((await journal.latestCheckpoint())!.seq).toBeGreaterThanOrEqual(floor - 1);
  for (let seq = floor; seq <= known.acknowledged.length; seq++) {
    expect(fromUtf8((await journal.read(seq))!)).toBe(known.acknowledged[seq - 1]);
  }
  const extra = await journal.read(known.acknowledged.length + 1);
  if (extra !== null) {
    expect(fromUtf8(extra)).toBe(known.inDoubt);
    known.acknowledged.push(fromUtf8(extra));
  }
  expect(await journal.read(known.acknowledged.length + 1)).toBeNull();
  known.inDoubt = null;
  known.floor = floor;
  await journal.close();
}

async function callsOf(seed: number): Promise<number> {
  const fs = new SimFileSystem(seededRandom(seed));
  await fs.mkdir('/data');
  await work(fs, seededRandom(seed), { acknowledged: [], inDoubt: null, floor: 1 }, 14);
  return fs.calls.length;
}

describe('FileJournal', () => {
  test.each(seeds(1, 3))('loses no acknowledged entry when the machine stops at any call to the disk (seed %i)', async seed => {
    const calls = await callsOf(seed);
    for (let call = 0; call < calls; call++) {
      await simulate(seed * 100_000 + call, async ({ random }) => {
        let fs = new SimFileSystem(random);
        const known: Known = { acknowledged: [], inDoubt: null, floor: 1 };
        fs.crashAtCall = call;
        await work(fs, seededRandom(seed), known, 14).catch(() => {});
        fs = fs.crash();
        await verify(fs, random, known);
        // What was in doubt is settled now: it must be there, or stay away, after any further crash.
        fs = fs.crash();
        await work(fs, random, known, 4);
        fs = fs.crash();
        await verify(fs, random, known);
      });
    }
  });

  test('loses nothing over many lives that end in crashes and kills at random calls', async () => {
    for (const seed of seeds(1, 150)) {
      await simulate(seed, async ({ random }) => {
        let fs = new SimFileSystem(random);
        const known: Known = { acknowledged: [], inDoubt: null, floor: 1 };
        for (let life = 0; life < 8; life++) {
          fs.crashAtCall = Math.floor(random.float() * 60);
          await work(fs, random, known, 12).catch(() => {});
          fs = random.float() < 0.7 ? fs.crash() : fs.kill();
          await verify(fs, random, known);
          fs = fs.kill();
        }
      });
    }
  });

  test.each(['write', 'datasync', 'truncate', 'syncFolder', 'rename', 'create'] as const)(
    'tells the truth about every entry while calls of %s fail at random',
    async call => {
      for (const seed of seeds(1, 40)) await simulate(seed, ({ random }) => failingDisk(random, call));
    },
  );
});

/** Ten lives of a disk that fails: errors mean not written, unknown means either, and a stopped journal accepts nothing. */
async function failingDisk(random: Random, call: DiskCall['call']): Promise<void> {
  let fs = new SimFileSystem(random);
  const known: Known = { acknowledged: [], inDoubt: null, floor: 1 };
  for (let life = 0; life < 5; life++) {
    const journal = await FileJournal.open(fs, FOLDER, { random, ...OPTIONS });
    fs.fault = failing => {
      if (failing.call !== call || random.float() >= 0.25) return null;
      return { code: random.float() < 0.5 ? 'EIO' : 'ENOSPC', applied: random.float() < 0.5 };
    };
    await writeAgainstFaults(journal, random, known, life);
    fs.fault = () => null;
    await journal.close();
    fs = random.float() < 0.5 ? fs.crash() : fs.kill();
    await verify(fs, random, known);
    fs = fs.kill();
  }
}

async function writeAgainstFaults(journal: FileJournal, random: Random, known: Known, life: number): Promise<void> {
  for (let count = 0; count < 12; count++) {
    const seq = known.acknowledged.length + 1;
    const text = `life ${life} entry ${seq} attempt ${count} ${'x'.repeat(random.float() * 200)}`;
    try {
      const outcome = await journal.create(seq, utf8(text));
      if (outcome.kind === 'ok') known.acknowledged.push(text);
      else expect(outcome.kind).toBe('unknown');
      if (outcome.kind === 'unknown') known.inDoubt = text;
    } catch (error) {
      expect(isTailwaterError(error, 'TW_STORAGE_FULL', 'TW_STORAGE_UNAVAILABLE', 'TW_SHARD_STOPPED')).toBe(true);
      if (journal.stats().stopped === 0) expect(await journal.read(seq)).toBeNull();
    }
  }
}
