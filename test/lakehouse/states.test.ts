import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/index.ts';
import { ObjectJournal } from '../../src/journal/index.ts';
import { TableStates } from '../../src/lakehouse/index.ts';
import type { ObjectStore } from '../../src/storage/index.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import { emptyState, type PutFate, withPutFates } from './compact-support.ts';

async function committed(store: ObjectStore, count: number, logSeqOf = (n: number) => n): Promise<void> {
  const states = new TableStates(store, 'life');
  for (let n = 1; n <= count; n++) {
    const next = emptyState({ n, logSeq: logSeqOf(n), logTimeMs: logSeqOf(n) * 1000, committedAtMs: n * 10 });
    expect(await states.commit(next)).toBe('ok');
  }
}

function countingReads(store: ObjectStore): { store: ObjectStore; reads: () => number } {
  let reads = 0;
  const counting: ObjectStore = {
    put: (...put) => store.put(...put),
    head: key => store.head(key),
    list: (...list) => store.list(...list),
    delete: keys => store.delete(keys),
    get: (...get) => {
      reads++;
      return store.get(...get);
    },
  };
  return { store: counting, reads: () => reads };
}

/** Gives up what is older than `keepFromMs`; the floor afterwards. */
async function expire(states: TableStates, keepFromMs: number): Promise<number> {
  await states.raiseFloor((await states.oldestNeeded(keepFromMs))!);
  await states.collect();
  return states.floor();
}

describe('table states', () => {
  test('a stream without a table has no state', async () => {
    expect(await new TableStates(new MemoryObjectStore(), 'life').latest()).toBeNull();
  });

  test('latest is what anyone committed last, wherever one starts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 20 }), async (first, more) => {
        const store = new MemoryObjectStore();
        await committed(store, first);
        const reader = new TableStates(store, 'life');
        expect((await reader.latest())?.n ?? 0).toBe(first);
        const writer = new TableStates(store, 'life');
        await writer.latest();
        for (let n = first + 1; n <= first + more; n++) await writer.commit(emptyState({ n }));
        expect((await reader.latest())?.n ?? 0).toBe(first + more);
      }),
      { numRuns: 50 },
    );
  });

  test('polling an unchanged table costs two small reads', async () => {
    const { store, reads } = countingReads(new MemoryObjectStore());
    await committed(store, 30);
    const states = new TableStates(store, 'life');
    await states.latest();
    const before = reads();
    await states.latest();
    expect(reads() - before).toBe(2);
  });

  test('finding the head of a long history takes a logarithmic number of reads', async () => {
    const memory = new MemoryObjectStore();
    await committed(memory, 1000);
    const { store, reads } = countingReads(memory);
    expect((await new TableStates(store, 'life').latest())?.n).toBe(1000);
    expect(reads()).toBeLessThan(25);
  });

  test('calls during a probe share the next one', async () => {
    const { store, reads } = countingReads(new MemoryObjectStore());
    await committed(store, 3);
    const states = new TableStates(store, 'life');
    await states.latest();
    const before = reads();
    const answers = await Promise.all(Array.from({ length: 20 }, () => states.latest()));
    expect(answers.every(state => state?.n === 3)).toBe(true);
    expect(reads() - before).toBe(4);
  });

  test('of racing commits of one number exactly one wins, and every loser knows', async () => {
    const store = new MemoryObjectStore();
    await committed(store, 2);
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, racer) =>
        new TableStates(store, 'life').commit(emptyState({ n: 3, attemptId: `racer-${racer}` })),
      ),
    );
    expect(outcomes.filter(outcome => outcome === 'ok')).toHaveLength(1);
    const winner = outcomes.indexOf('ok');
    expect((await new TableStates(store, 'life').latest())?.attemptId).toBe(`racer-${winner}`);
  });

  test('an unknown outcome is settled by the entry itself: ok means ours is there, lost means another one is', async () => {
    const fate = fc.constantFrom<PutFate>('works', 'reply-lost', 'request-lost');
    await fc.assert(
      fc.asyncProperty(fc.array(fate, { maxLength: 4 }), fc.boolean(), async (fates, rival) => {
        const memory = new MemoryObjectStore();
        if (rival) await new TableStates(memory, 'life').commit(emptyState({ n: 1, attemptId: 'rival' }));
        const ahead = [...fates];
        const states = new TableStates(
          withPutFates(memory, () => ahead.shift() ?? 'works'),
          'life',
        );
        const outcome = await states.commit(emptyState({ n: 1, attemptId: 'ours' })).catch(error => error.code);
        const there = (await new TableStates(memory, 'life').latest())?.attemptId;
        if (outcome === 'TW_OUTCOME_UNKNOWN') expect(fates).toEqual(Array.from({ length: 4 }, () => 'request-lost'));
        else expect(outcome).toBe(there === 'ours' ? 'ok' : 'lost');
      }),
    );
  });

  test('the state for a moment is the newest one that holds nothing later', async () => {
    const logSeqs = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(logSeqs, fc.integer({ min: 0, max: 100 }), async (steps, asked) => {
        const seqs: number[] = [];
        for (const step of steps) seqs.push((seqs.at(-1) ?? 5) + step);
        const store = new MemoryObjectStore();
        await committed(store, seqs.length, n => seqs[n - 1]);
        const expected = seqs.filter(seq => seq <= asked).length;
        const states = new TableStates(store, 'life');
        expect((await states.findBySeq(asked))?.n ?? 0).toBe(expected);
        expect((await states.findByTime(asked * 1000))?.n ?? 0).toBe(expected);
      }),
      { numRuns: 60 },
    );
  });

  test('giving up history keeps the state that a read at its start opens', async () => {
    const store = new MemoryObjectStore();
    await committed(store, 20);
    const states = new TableStates(store, 'life');
    expect(await expire(states, 105)).toBe(10);
    const fresh = new TableStates(store, 'life');
    expect(await fresh.read(9)).toBeNull();
    expect((await fresh.latest())?.n).toBe(20);
    expect((await fresh.findBySeq(10))?.n).toBe(10);
    await expect(fresh.findBySeq(9)).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
    expect(await expire(fresh, 105)).toBe(10);
  });

  test('a reader left behind by the floor catches up, and its commits of collected numbers do not count', async () => {
    const store = new MemoryObjectStore();
    await committed(store, 3);
    const stale = new TableStates(store, 'life');
    expect((await stale.latest())?.n).toBe(3);
    const active = new TableStates(store, 'life');
    await active.latest();
    for (let n = 4; n <= 12; n++) await active.commit(emptyState({ n, committedAtMs: n * 10 }));
    expect(await expire(active, 100)).toBe(10);
    expect(await stale.commit(emptyState({ n: 4, attemptId: 'stalled' }))).toBe('lost');
    expect((await stale.latest())?.n).toBe(12);
  });

  test('unreadable and newer entries are errors, never skipped', async () => {
    const store = new MemoryObjectStore();
    const journal = new ObjectJournal(store, 'tables/life/state');
    await journal.create(1, utf8('{"formatVersion":'));
    await expect(new TableStates(store, 'life').latest()).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
    const newer = new MemoryObjectStore();
    await new ObjectJournal(newer, 'tables/life/state').create(1, utf8('{"formatVersion":2,"n":1}'));
    await expect(new TableStates(newer, 'life').latest()).rejects.toMatchObject({ code: 'TW_FORMAT_TOO_NEW' });
  });
});
