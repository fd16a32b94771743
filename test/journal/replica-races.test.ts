import { describe, expect, test } from 'vitest';
import { isTailwaterError } from '../../src/base/index.ts';
import { ObjectJournal } from '../../src/journal/index.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import { FaultyObjectStore } from '../harness/faulty-object-store.ts';
import { seeds, simulate } from '../harness/simulate.ts';

const FAULTS = { lostRequest: 0.1, lostReply: 0.1, maxDelayMs: 20 };
const WRITERS = 3;
const ENTRIES = 12;

describe('writers that race over a store that loses requests and replies', () => {
  test('each entry is in the journal once, the sequence is dense, and who was told ok has its entry there', async () => {
    for (const seed of seeds(1, 10)) {
      await simulate(seed, async ({ random, clock }) => {
        const memory = new MemoryObjectStore();
        const told = new Map<number, string>();
        const writer = async (name: number) => {
          const journal = new ObjectJournal(new FaultyObjectStore(memory, clock, random, FAULTS), 'j');
          for (let seq = 1; seq <= ENTRIES; ) {
            const bytes = Buffer.from(`${name}/${seq}`);
            const outcome = await journal.create(seq, bytes).catch(error => {
              if (isTailwaterError(error)) return { kind: 'unknown' as const };
              throw error;
            });
            if (outcome.kind === 'ok') told.set(seq, String(bytes));
            // The same bytes at the same number again, until its content is known (J2).
            if (outcome.kind !== 'unknown') seq++;
          }
        };
        await Promise.all(Array.from({ length: WRITERS }, (_, name) => writer(name)));
        const journal = new ObjectJournal(memory, 'j');
        for (let seq = 1; seq <= ENTRIES; seq++) {
          const entry = String(Buffer.from((await journal.read(seq))!));
          expect(entry).toMatch(new RegExp(`^[0-2]/${seq}$`));
          if (told.has(seq)) expect(told.get(seq)).toBe(entry);
        }
        expect(await journal.read(ENTRIES + 1)).toBeNull();
      });
    }
  });
});
