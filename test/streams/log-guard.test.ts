import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AppendRequest, decodeSegment, type LogShard } from '../../src/streams/index.ts';
import { IdempotencyTable } from '../../src/streams/wal/idempotency.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { appendOf, creating, linesOf, memoryJournal, openShard } from './log-support.ts';

const S = 'ssssssssssssssss';
const HOUR_MS = 3_600_000;

function guarded(name: string, afterSeq: number, value: string): AppendRequest {
  return { ...appendOf(S, 0, value), guard: { name, afterSeq } };
}

/** What a writer knows: for each name, the number of the value that it last saw, and up to which segment it has read. */
function reader(shard: LogShard): { last: Map<string, string>; seq: () => number } {
  const last = new Map<string, string>();
  shard.onSegment(segment => {
    for (const line of linesOf(segment)) {
      const [name, made] = line.slice(line.indexOf('=') + 1).split(':');
      last.set(name, made);
    }
  });
  return { last, seq: () => shard.seq };
}

describe('guarded appends', () => {
  test('of racing writers each follow what their writer had seen: one chain for each name, whoever wins', async () => {
    const attempt = fc.record({ writer: fc.integer({ min: 0, max: 1 }), name: fc.constantFrom('a', 'b'), refresh: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(attempt, { minLength: 1, maxLength: 4 }), { maxLength: 12 }), async rounds => {
        const journal = memoryJournal();
        const shards = [await openShard(journal), await openShard(journal)];
        const readers = shards.map(reader);
        await shards[0].control([creating(S)]);
        let made = 0;
        for (const round of rounds) {
          const results = round.map(async ({ writer, name, refresh }) => {
            if (refresh) await shards[writer].refresh();
            const { last, seq } = readers[writer];
            await shards[writer].append(guarded(name, seq(), `${name}:${++made}:${last.get(name) ?? 0}`));
          });
          for (const outcome of await Promise.allSettled(results)) {
            if (outcome.status === 'rejected') expect(outcome.reason.code).toBe('TW_VERSION_MISMATCH');
          }
        }
        const witness = await openShard(journal);
        await shards[0].refresh();
        expect(witness.seq).toBe(shards[0].seq);
        for (const name of ['a', 'b']) await checkChain(journal, name, witness.seq);
      }),
      { numRuns: 100 },
    );
  });

  test('are refused once when what came since may have been forgotten, and admitted when decided anew', async () => {
    const clock = new VirtualClock();
    const shard = await openShard(memoryJournal(), { clock });
    await shard.control([creating(S)]);
    const decidedAt = shard.seq;
    await shard.append(guarded('a', decidedAt, 'first'));
    await clock.advance(25 * HOUR_MS);
    await shard.append(appendOf(S, 0, 'much later'));
    expect(shard.stats().idempotencyKeys).toBe(0);
    await expect(shard.append(guarded('a', decidedAt, 'second'))).rejects.toMatchObject({ code: 'TW_VERSION_MISMATCH' });
    await shard.append(guarded('a', shard.seq, 'third'));
  });

  test('are remembered by a writer that starts from a checkpoint', async () => {
    const journal = memoryJournal();
    const shard = await openShard(journal);
    await shard.control([creating(S)]);
    const decidedAt = shard.seq;
    await shard.append(guarded('a', decidedAt, 'first'));
    await shard.append(appendOf(S, 0, 'other'));
    await shard.close();
    const next = await openShard(journal);
    await expect(next.append(guarded('a', decidedAt, 'second'))).rejects.toMatchObject({ code: 'TW_VERSION_MISMATCH' });
    await expect(next.append(guarded('b', decidedAt, 'of another name'))).rejects.toMatchObject({ code: 'TW_VERSION_MISMATCH' });
    await next.append(guarded('b', next.seq, 'decided anew'));
    await next.append(guarded('a', next.seq, 'decided anew'));
  });

  test('that are refused write nothing and leave the name as it was', async () => {
    const shard = await openShard(memoryJournal());
    await shard.control([creating(S)]);
    const results = await Promise.allSettled([1, 2, 3].map(at => shard.append(guarded('a', 1, `${at}`))));
    expect(results.map(result => result.status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(shard.nextOffsets(S)).toEqual([1]);
    await expect(shard.append(guarded('', 1, 'x'))).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
    await expect(shard.append(guarded('n'.repeat(600), 1, 'x'))).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
  });

  test('know how far back they are remembered', () => {
    const table = new IdempotencyTable();
    const record = (key: string, seq: number) => table.record({ key, fingerprint: '', answer: null, parts: [] }, seq, seq);
    record('a', 5);
    record('b', 7);
    table.trim(24 * HOUR_MS + 5);
    expect([table.size, table.forgottenSeq]).toEqual([1, 5]);
  });
});

/** Each value of a name says which one its writer had seen: that must be the one before it in the log. */
async function checkChain(journal: Parameters<typeof openShard>[0], name: string, throughSeq: number): Promise<void> {
  let before = '0';
  for (let seq = 1; seq <= throughSeq; seq++) {
    const bytes = await journal.read(seq);
    for (const line of linesOf(decodeSegment(bytes!))) {
      const [of, made, follows] = line.slice(line.indexOf('=') + 1).split(':');
      if (of !== name) continue;
      expect(follows).toBe(before);
      before = made;
    }
  }
}
