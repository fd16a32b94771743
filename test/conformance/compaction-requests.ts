import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TailwaterError } from '../../src/base/index.ts';
import type { CompactionRequest, CompactionRequests } from '../../src/lakehouse/index.ts';

export interface Run extends CompactionRequest {
  caughtUp(): void;
  finish(): void;
  fail(error: unknown): void;
}

export interface QueueWorld {
  /** One job at a time, tried at most three times. */
  queue: CompactionRequests;
  /** Every run so far, in order; each ends when the test says so. */
  runs: Run[];
  /** Lets time go by until the condition holds. */
  until(holds: () => boolean): Promise<void>;
  /** Lets what is asked for become known to the queue. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export function recordedRuns() {
  const runs: Run[] = [];
  const run = (request: CompactionRequest, caughtUp: () => void): Promise<void> =>
    new Promise((resolve, reject) => runs.push({ ...request, caughtUp, finish: resolve, fail: reject }));
  return { runs, run };
}

/** What every queue of compactions must do, whoever else uses it. */
export function compactionRequestsConformance(name: string, open: () => Promise<QueueWorld>): void {
  describe(`requests for compactions: ${name}`, () => {
    let world: QueueWorld;
    beforeEach(async () => {
      world = await open();
    });
    afterEach(async () => {
      for (const run of world.runs) run.finish();
      await world.close();
    });
    const failed = new TailwaterError('TW_COMPACTION_FAILED', { detail: 'Someone slipped in between.' });
    const began = (count: number): Promise<void> => world.until(() => world.runs.length === count);

    test('the most urgent goes first, then who came first', async () => {
      const { queue, runs, settle } = world;
      const all = [queue.request('first', 1)];
      await began(1);
      for (const [stream, priority] of [
        ['b', 10],
        ['c', 500],
        ['d', 10],
        ['e', 1000],
      ] as const) {
        all.push(queue.request(stream, 1, priority));
        await settle();
      }
      for (let index = 0; index < 5; index++) {
        await began(index + 1);
        runs[index].finish();
      }
      await Promise.all(all);
      expect(runs.map(run => run.incarnation)).toEqual(['first', 'e', 'c', 'b', 'd']);
    });

    test('all who ask for a stream share a job that covers them, and one beyond what runs', async () => {
      const { queue, runs, settle } = world;
      let answered = 0;
      const ask = (through: number): Promise<void> => queue.request('a', through).then(() => void answered++);
      const early = [ask(10)];
      await began(1);
      early.push(ask(7));
      const late = [ask(20), ask(30), ask(25)];
      await settle();
      runs[0].finish();
      await Promise.all(early);
      expect(answered).toBe(2);
      for (let done = 1; answered < 5; done++) {
        await began(done + 1);
        runs[done].finish();
        await world.until(() => answered === 5 || runs.length > done + 1);
      }
      await Promise.all(late);
      expect(Math.max(...runs.map(run => run.throughSegment))).toBe(30);
      // Who asked while one ran may have been too late to be part of it.
      expect(runs.length).toBeLessThanOrEqual(3);
    });

    test('who waits is answered when the rows are in the table, and the stream’s next job waits for the rest', async () => {
      const { queue, runs, settle } = world;
      const first = queue.request('a', 1);
      await began(1);
      runs[0].caughtUp();
      await first;
      const second = queue.request('a', 2);
      await settle();
      expect(runs).toHaveLength(1);
      runs[0].finish();
      await began(2);
      runs[1].finish();
      await second;
    });

    test('a failed compaction is tried again, and others run meanwhile', async () => {
      const { queue, runs, settle } = world;
      const first = queue.request('a', 1);
      await began(1);
      const second = queue.request('b', 1);
      await settle();
      runs[0].fail(failed);
      await began(2);
      expect(runs[1].incarnation).toBe('b');
      runs[1].finish();
      await second;
      await began(3);
      expect(runs[2].incarnation).toBe('a');
      runs[2].finish();
      await first;
    });

    test('what keeps failing is reported in the end, other errors at once; both leave the stream free', async () => {
      const { queue, runs } = world;
      const stubborn = queue.request('a', 1).catch(error => error);
      for (let attempt = 1; attempt <= 3; attempt++) {
        await began(attempt);
        runs[attempt - 1].fail(failed);
      }
      expect(await stubborn).toMatchObject({ code: 'TW_COMPACTION_FAILED', message: failed.message });
      const damaged = queue.request('a', 1).catch(error => error);
      await began(4);
      runs[3].fail(new TailwaterError('TW_DATA_DAMAGED'));
      expect(await damaged).toMatchObject({ code: 'TW_DATA_DAMAGED' });
      const good = queue.request('a', 1);
      await began(5);
      runs[4].finish();
      await good;
    });

    test('closing lets what runs finish and refuses the rest', async () => {
      const { queue, runs, settle } = world;
      const running = queue.request('a', 1).catch(error => error.code);
      await began(1);
      const waiting = queue.request('b', 1).catch(error => error.code);
      await settle();
      let isClosed = false;
      const closed = queue.close().then(() => {
        isClosed = true;
      });
      expect(await waiting).toBe('TW_CLOSED');
      await expect(queue.request('c', 1)).rejects.toMatchObject({ code: 'TW_CLOSED' });
      await settle();
      expect(isClosed).toBe(false);
      runs[0].finish();
      await closed;
      expect([undefined, 'TW_CLOSED']).toContain(await running);
      expect(runs).toHaveLength(1);
    });
  });
}
