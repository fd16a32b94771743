import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fromUtf8, utf8 } from '../../src/base/index.ts';
import type { Journal } from '../../src/journal/index.ts';

/** One journal's data, and how to open it: again after `close`, as the next process would. */
export interface JournalWorld {
  open(): Promise<Journal>;
}

type Step =
  | { kind: 'create'; ahead: number; text: string }
  | { kind: 'read'; seq: number }
  | { kind: 'checkpoint' }
  | { kind: 'raise'; back: number }
  | { kind: 'collect' }
  | { kind: 'reopen' };

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('create' as const),
        ahead: fc.integer({ min: -3, max: 0 }),
        text: fc.string({ maxLength: 40 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), seq: fc.integer({ min: 1, max: 30 }) }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'checkpoint' as const }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('raise' as const), back: fc.integer({ min: 0, max: 4 }) }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'collect' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  ),
  { maxLength: 40 },
);

/** What every implementation of the journal port does. */
export function journalConformance(name: string, makeWorld: () => JournalWorld): void {
  describe(`${name} is a journal`, () => {
    let world: JournalWorld;
    let journal: Journal;

    beforeEach(async () => {
      world = makeWorld();
      journal = await world.open();
    });

    afterEach(() => journal.close());

    async function fill(count: number): Promise<void> {
      for (let seq = 1; seq <= count; seq++) expect(await journal.create(seq, utf8(`entry ${seq}`))).toEqual({ kind: 'ok' });
    }

    async function textOf(seq: number): Promise<string | null> {
      const bytes = await journal.read(seq);
      return bytes === null ? null : fromUtf8(bytes);
    }

    test('a new journal has no entry, no checkpoint, and its floor is 1', async () => {
      expect(await journal.read(1)).toBeNull();
      expect(await journal.floor()).toBe(1);
      expect(await journal.latestCheckpoint()).toBeNull();
    });

    test('entries are read back byte for byte, empty and large ones too', async () => {
      const entries = [new Uint8Array(0), new Uint8Array([0, 255, 128]), new Uint8Array(3_000_000).fill(7)];
      for (const [index, bytes] of entries.entries()) expect(await journal.create(index + 1, bytes)).toEqual({ kind: 'ok' });
      for (const [index, bytes] of entries.entries()) expect(Buffer.compare((await journal.read(index + 1))!, bytes)).toBe(0);
      expect(await journal.read(4)).toBeNull();
    });

    test('a number is given once: a second create is told that it exists, and changes nothing', async () => {
      await fill(2);
      expect(await journal.create(2, utf8('another'))).toEqual({ kind: 'exists' });
      expect(await journal.create(2, utf8('entry 2'))).toEqual({ kind: 'exists' });
      expect(await textOf(2)).toBe('entry 2');
    });

    test('of racing creates of one number exactly one wins, and its bytes are the entry', async () => {
      const outcomes = await Promise.all(['a', 'b', 'c', 'd'].map(text => journal.create(1, utf8(text))));
      const winners = outcomes.flatMap((outcome, index) => (outcome.kind === 'ok' ? [index] : []));
      expect(winners).toHaveLength(1);
      expect(await textOf(1)).toBe('abcd'[winners[0]]);
      expect(outcomes.filter(outcome => outcome.kind === 'exists')).toHaveLength(3);
    });

    test('the caller may reuse its buffer once a create has returned', async () => {
      const buffer = utf8('first');
      await journal.create(1, buffer);
      buffer.fill(0);
      expect(await textOf(1)).toBe('first');
    });

    test('the newest checkpoint is the one with the highest sequence', async () => {
      await fill(9);
      await journal.writeCheckpoint({ seq: 3, bytes: utf8('three') });
      await journal.writeCheckpoint({ seq: 9, bytes: utf8('nine') });
      await journal.writeCheckpoint({ seq: 5, bytes: utf8('five') });
      const newest = (await journal.latestCheckpoint())!;
      expect([newest.seq, fromUtf8(newest.bytes)]).toEqual([9, 'nine']);
    });

    test('the floor only rises, and never above what a checkpoint holds', async () => {
      await fill(9);
      await expect(journal.raiseFloor(5)).rejects.toMatchObject({ code: 'TW_INTERNAL' });
      expect(await journal.floor()).toBe(1);
      await journal.writeCheckpoint({ seq: 4, bytes: utf8('four') });
      await journal.raiseFloor(5);
      await journal.raiseFloor(2);
      expect(await journal.floor()).toBe(5);
    });

    test('collecting keeps every entry from the floor on, and the checkpoint that leads to it', async () => {
      await fill(20);
      await journal.writeCheckpoint({ seq: 12, bytes: utf8('twelve') });
      await journal.raiseFloor(13);
      await journal.collect();
      for (let seq = 13; seq <= 20; seq++) expect(await textOf(seq)).toBe(`entry ${seq}`);
      expect((await journal.latestCheckpoint())!.seq).toBe(12);
      expect(await journal.create(21, utf8('next'))).toEqual({ kind: 'ok' });
    });

    test('a create below the floor does not count, also where the entry has been collected', async () => {
      await fill(20);
      await journal.writeCheckpoint({ seq: 20, bytes: utf8('twenty') });
      await journal.raiseFloor(21);
      await journal.collect();
      for (const seq of [1, 20]) expect((await journal.create(seq, utf8('late'))).kind).not.toBe('ok');
    });

    test('entries, floor and checkpoint are there after closing and opening again', async () => {
      await fill(7);
      await journal.writeCheckpoint({ seq: 3, bytes: utf8('three') });
      await journal.raiseFloor(4);
      await journal.close();
      journal = await world.open();
      expect(await journal.floor()).toBe(4);
      expect((await journal.latestCheckpoint())!.seq).toBe(3);
      for (let seq = 4; seq <= 7; seq++) expect(await textOf(seq)).toBe(`entry ${seq}`);
      expect(await journal.create(8, utf8('entry 8'))).toEqual({ kind: 'ok' });
    });

    test('any history of calls agrees with a plain list of entries', async () => {
      await fc.assert(
        fc.asyncProperty(steps, async history => {
          await runHistory(makeWorld(), history);
        }),
        { numRuns: 60 },
      );
    });
  });
}

async function runHistory(world: JournalWorld, history: readonly Step[]): Promise<void> {
  let journal = await world.open();
  const entries: string[] = [];
  let floor = 1;
  let checkpoint = 0;
  for (const step of history) {
    if (step.kind === 'create') {
      const seq = entries.length + 1 + step.ahead;
      if (seq < 1) continue;
      const outcome = await journal.create(seq, utf8(step.text));
      if (step.ahead === 0) {
        expect(outcome).toEqual({ kind: 'ok' });
        entries.push(step.text);
      } else expect(seq < floor ? ['below-floor', 'exists'] : ['exists']).toContain(outcome.kind);
    } else if (step.kind === 'read' && step.seq >= floor) {
      const bytes = await journal.read(step.seq);
      expect(bytes === null ? undefined : fromUtf8(bytes)).toBe(entries[step.seq - 1]);
    } else if (step.kind === 'checkpoint' && entries.length > 0) {
      checkpoint = entries.length;
      await journal.writeCheckpoint({ seq: checkpoint, bytes: utf8(`state ${checkpoint}`) });
    } else if (step.kind === 'raise' && checkpoint > 0) {
      await journal.raiseFloor(Math.max(1, checkpoint + 1 - step.back));
      floor = Math.max(floor, checkpoint + 1 - step.back);
    } else if (step.kind === 'collect') {
      await journal.collect();
    } else if (step.kind === 'reopen') {
      await journal.close();
      journal = await world.open();
    }
    expect(await journal.floor()).toBe(floor);
    expect((await journal.latestCheckpoint())?.seq ?? 0).toBe(checkpoint);
  }
  for (let seq = floor; seq <= entries.length; seq++) expect(fromUtf8((await journal.read(seq))!)).toBe(entries[seq - 1]);
  expect(await journal.read(entries.length + 1)).toBeNull();
  await journal.close();
}
