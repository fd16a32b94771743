import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom, TailwaterError } from '../../src/base/index.ts';
import {
  COMPACTION_TRIGGER_DEFAULTS,
  CompactionQueue,
  type CompactionRequest,
  compactionDue,
} from '../../src/lakehouse/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';

interface Run extends CompactionRequest {
  finish(): void;
  fail(error: unknown): void;
}

/** A queue whose jobs end when the test says so. */
function openQueue(options: { maxConcurrent?: number; maxQueued?: number; maxAttempts?: number } = {}) {
  const clock = new VirtualClock();
  const runs: Run[] = [];
  const queue = new CompactionQueue({
    clock,
    random: seededRandom(7),
    ...options,
    run: request =>
      new Promise<void>((resolve, reject) => {
        runs.push({ ...request, finish: resolve, fail: reject });
      }),
  });
  return { clock, runs, queue, settle: () => clock.advance(0) };
}

const failed = new TailwaterError('TW_COMPACTION_FAILED', { detail: 'Someone slipped in between.' });

describe('the compaction queue', () => {
  test('runs one job at a time, urgent ones first, then in the order of asking', async () => {
    const { runs, queue, settle } = openQueue();
    for (const [stream, priority] of [
      ['a', 0],
      ['b', 0],
      ['c', 5],
      ['d', 0],
    ] as const)
      void queue.request(stream, 1, priority);
    const order: string[] = [];
    for (let index = 0; index < 4; index++) {
      expect(runs).toHaveLength(index + 1);
      order.push(runs[index].incarnation);
      runs[index].finish();
      await settle();
    }
    expect(order).toEqual(['a', 'c', 'b', 'd']);
  });

  test('requests for a stream share the job that covers them', async () => {
    const { runs, queue, settle } = openQueue();
    const first = queue.request('a', 10);
    expect(queue.request('a', 7)).toBe(first);
    const later = queue.request('a', 20);
    expect(queue.request('a', 30)).toBe(later);
    runs[0].finish();
    await settle();
    await first;
    expect(runs.map(run => run.throughSegment)).toEqual([10, 30]);
    runs[1].finish();
    await later;
    expect(queue.stats()).toMatchObject({ running: 0, waiting: 0, completed: 2, coalesced: 2 });
  });

  test('a failed compaction is tried again after a wait, and others run meanwhile', async () => {
    const { clock, runs, queue, settle } = openQueue();
    const done = queue.request('a', 1);
    void queue.request('b', 1);
    runs[0].fail(failed);
    await settle();
    expect(runs.map(run => run.incarnation)).toEqual(['a', 'b']);
    runs[1].finish();
    await clock.advance(60);
    expect(runs).toHaveLength(2);
    await clock.advance(300);
    expect(runs.map(run => run.incarnation)).toEqual(['a', 'b', 'a']);
    runs[2].finish();
    await done;
  });

  test('a job that keeps failing reports its failure in the end', async () => {
    const { clock, runs, queue } = openQueue({ maxAttempts: 3 });
    const done = queue.request('a', 1).catch(error => error);
    for (let attempt = 0; attempt < 3; attempt++) {
      runs[attempt].fail(failed);
      await clock.advance(60_000);
    }
    expect(await done).toBe(failed);
    expect(runs).toHaveLength(3);
    expect(queue.stats()).toMatchObject({ failed: 1, retried: 2, waiting: 0 });
  });

  test('other errors are not tried again', async () => {
    const { runs, queue } = openQueue();
    const done = queue.request('a', 1).catch(error => error.code);
    runs[0].fail(new TailwaterError('TW_DATA_DAMAGED'));
    expect(await done).toBe('TW_DATA_DAMAGED');
  });

  test('a request beyond a failing job takes its waiters along', async () => {
    const { clock, runs, queue, settle } = openQueue();
    const first = queue.request('a', 10);
    const second = queue.request('a', 20);
    runs[0].fail(failed);
    await settle();
    await clock.advance(1000);
    expect(runs.map(run => run.throughSegment)).toEqual([10, 20]);
    runs[1].finish();
    await Promise.all([first, second]);
  });

  test('too many waiting streams are refused, but streams that wait already may ask again', async () => {
    const { queue } = openQueue({ maxQueued: 2 });
    for (const stream of ['running', 'a', 'b']) void queue.request(stream, 1);
    await expect(queue.request('c', 1)).rejects.toMatchObject({ code: 'TW_BUSY' });
    void queue.request('a', 2);
    expect(queue.stats()).toMatchObject({ waiting: 2, coalesced: 1 });
  });

  test('closing lets the running job finish and refuses the rest', async () => {
    const { runs, queue } = openQueue();
    const running = queue.request('a', 1);
    const waiting = queue.request('b', 1).catch(error => error.code);
    const closed = queue.close();
    expect(await waiting).toBe('TW_CLOSED');
    await expect(queue.request('c', 1)).rejects.toMatchObject({ code: 'TW_CLOSED' });
    runs[0].finish();
    await Promise.all([running, closed]);
    expect(runs).toHaveLength(1);
  });

  test('every request is answered by a run that covers it and began after it or covered it already; one job per stream at a time', async () => {
    const request = fc.record({
      stream: fc.constantFrom('a', 'b', 'c'),
      through: fc.integer({ min: 1, max: 50 }),
      priority: fc.integer({ min: 0, max: 2 }),
      finish: fc.boolean(),
      fails: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { maxLength: 30 }), fc.integer({ min: 1, max: 3 }), async (requests, maxConcurrent) => {
        const { clock, runs, queue } = openQueue({ maxConcurrent, maxAttempts: 100 });
        const ended = new Set<Run>();
        const succeeded: Run[] = [];
        const end = (fails: boolean): void => {
          const run = runs.find(candidate => !ended.has(candidate));
          if (!run) return;
          ended.add(run);
          if (!fails) succeeded.push(run);
          if (fails) run.fail(failed);
          else run.finish();
        };
        let open = requests.length;
        for (const { stream, through, priority, finish, fails } of requests) {
          void queue.request(stream, through, priority).then(() => {
            open--;
            expect(succeeded.some(run => run.incarnation === stream && run.throughSegment >= through)).toBe(true);
          });
          if (finish) end(fails);
          await clock.advance(0);
          const active = runs.filter(run => !ended.has(run)).map(run => run.incarnation);
          expect(new Set(active).size).toBe(active.length);
          expect(active.length).toBeLessThanOrEqual(maxConcurrent);
        }
        for (let round = 0; round < 200 && open > 0; round++) {
          end(false);
          await clock.advance(60_000);
        }
        expect(open).toBe(0);
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});

describe('when a tail is due for compaction', () => {
  const { rows, bytes, ageMs } = COMPACTION_TRIGGER_DEFAULTS;

  test('rows, bytes and age each make it due, and say which', () => {
    expect(compactionDue({ rows, bytes: 1, oldestAgeMs: 0 })).toBe('rows');
    expect(compactionDue({ rows: 1, bytes, oldestAgeMs: 0 })).toBe('bytes');
    expect(compactionDue({ rows: 1, bytes: 1, oldestAgeMs: ageMs })).toBe('age');
    expect(compactionDue({ rows: rows - 1, bytes: bytes - 1, oldestAgeMs: ageMs - 1 })).toBeNull();
  });

  test('an empty tail never is', () => {
    expect(compactionDue({ rows: 0, bytes: 0, oldestAgeMs: null })).toBeNull();
  });
});
