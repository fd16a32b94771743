import { beforeEach, describe, expect, test } from 'vitest';
import { seededRandom, utf8 } from '../../src/base/index.ts';
import { ObjectJournal } from '../../src/journal/index.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import { FaultyObjectStore } from '../harness/faulty-object-store.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';

let store: MemoryObjectStore;
let journal: ObjectJournal;

beforeEach(() => {
  store = new MemoryObjectStore();
  journal = new ObjectJournal(store, 'tables/abc/state');
});

async function fill(last: number): Promise<void> {
  for (let seq = 1; seq <= last; seq++) await journal.create(seq, utf8(`entry ${seq}`));
}

async function raise(to: number): Promise<void> {
  await journal.writeCheckpoint({ seq: to - 1, bytes: utf8('state') });
  await journal.raiseFloor(to);
}

async function keys(prefix = ''): Promise<string[]> {
  return (await store.list(prefix)).map(object => object.key);
}

describe('ObjectJournal', () => {
  test('names its objects by 20 digits', async () => {
    await fill(2);
    await raise(2);
    expect(await keys()).toEqual([
      'tables/abc/state/checkpoints/00000000000000000001',
      'tables/abc/state/entries/00000000000000000001',
      'tables/abc/state/entries/00000000000000000002',
      'tables/abc/state/floor',
    ]);
  });

  test('reads the floor after the entry is written and before it is acknowledged', async () => {
    const stalled = new (class extends MemoryObjectStore {
      afterPut: () => Promise<void> = async () => {};
      override async put(...call: Parameters<MemoryObjectStore['put']>) {
        const outcome = await super.put(...call);
        if (call[0].includes('/entries/')) await this.afterPut();
        return outcome;
      }
    })();
    store = stalled;
    journal = new ObjectJournal(stalled, 'log');
    await fill(3);
    stalled.afterPut = async () => {
      stalled.afterPut = async () => {};
      await raise(9);
    };
    expect(await journal.create(4, utf8('late'))).toEqual({ kind: 'below-floor', floor: 9 });
  });

  test('does not acknowledge an entry when the floor cannot be read: its outcome is unknown', async () => {
    const lossy = new FaultyObjectStore(store, new VirtualClock(), seededRandom(1));
    const reading = new ObjectJournal(lossy, 'log');
    lossy.get = async () => {
      throw new Error('no answer');
    };
    expect(await reading.create(1, utf8('one'))).toMatchObject({ kind: 'unknown' });
  });

  test('a floor and a checkpoint whose replies are lost are settled by reading and repeating', async () => {
    const lossy = new FaultyObjectStore(store, new VirtualClock(), seededRandom(3), { lostReply: 0.4, lostRequest: 0.3 });
    const flaky = new ObjectJournal(lossy, 'tables/abc/state');
    await fill(9);
    await flaky.writeCheckpoint({ seq: 9, bytes: utf8('state') });
    await flaky.raiseFloor(8);
    expect(await journal.floor()).toBe(8);
    expect((await journal.latestCheckpoint())!.seq).toBe(9);
  });

  test('racing raises end at the highest', async () => {
    await fill(9);
    await journal.writeCheckpoint({ seq: 9, bytes: utf8('state') });
    await Promise.all([3, 9, 5, 7, 10, 2].map(to => journal.raiseFloor(to)));
    expect(await journal.floor()).toBe(10);
  });

  test('collecting deletes every entry below the floor, those created again as well, over many pages', async () => {
    await fill(2500);
    await raise(2400);
    await journal.collect();
    expect(await keys('tables/abc/state/entries/')).toHaveLength(101);
    expect((await journal.create(7, utf8('created again'))).kind).toBe('below-floor');
    await journal.collect();
    expect(await journal.read(7)).toBeNull();
    expect(await journal.read(2400)).not.toBeNull();
  });

  test('collecting keeps the newest checkpoint and the one before it', async () => {
    await fill(9);
    for (const seq of [2, 4, 6, 8]) await journal.writeCheckpoint({ seq, bytes: utf8('state') });
    await journal.collect();
    expect(await keys('tables/abc/state/checkpoints/')).toHaveLength(2);
    expect((await journal.latestCheckpoint())!.seq).toBe(8);
  });

  test('refuses a floor that it cannot read, or that a newer version wrote', async () => {
    await store.put('tables/abc/state/floor', utf8('{"formatVersion":2,"floor":4}'));
    await expect(journal.floor()).rejects.toMatchObject({ code: 'TW_FORMAT_TOO_NEW' });
    await store.put('tables/abc/state/floor', utf8('{"floor":'));
    await expect(journal.floor()).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
  });
});
