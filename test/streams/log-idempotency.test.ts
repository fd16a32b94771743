import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ObjectJournal } from '../../src/journal/index.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import type { AppendRequest } from '../../src/streams/index.ts';
import { decodeLogCheckpoint, encodeLogCheckpoint } from '../../src/streams/wal/log-checkpoint.ts';
import { initialLogState } from '../../src/streams/wal/log-state.ts';
import { WriterSequences } from '../../src/streams/wal/writers.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { appendOf, creating, memoryJournal, openShard } from './log-support.ts';

const S = 'ssssssssssssssss';
const HOUR_MS = 3_600_000;

function keyed(key: string, fingerprint: string, value: string): AppendRequest {
  return { ...appendOf(S, 0, value), idempotency: { key, fingerprint, answer: { value } } };
}

function produced(epoch: number, sequence: number, ...values: string[]): AppendRequest {
  return { ...appendOf(S, 0, ...values), producer: { id: 7, epoch, sequence } };
}

async function openedShard(clock = new VirtualClock()) {
  const shard = await openShard(memoryJournal(), { clock });
  await shard.control([creating(S, 2)]);
  return shard;
}

describe('idempotency keys', () => {
  test('answer a retry with the first answer, also while the first is in flight', async () => {
    const shard = await openedShard();
    const [first, racing] = await Promise.all([shard.append(keyed('k', 'f', 'one')), shard.append(keyed('k', 'f', 'two'))]);
    expect(first).toMatchObject({ duplicate: false, answer: { value: 'one' } });
    expect(racing).toEqual({ ...first, duplicate: true });
    expect(await shard.append(keyed('k', 'f', 'three'))).toEqual({ ...first, duplicate: true });
    expect(shard.nextOffsets(S)).toEqual([1, 0]);
  });

  test('refuse another request under the same key, also while the first is in flight', async () => {
    const shard = await openedShard();
    const results = await Promise.allSettled([shard.append(keyed('k', 'f', 'one')), shard.append(keyed('k', 'g', 'two'))]);
    expect(results).toMatchObject([{ status: 'fulfilled' }, { reason: { code: 'TW_IDEMPOTENCY_MISMATCH' } }]);
    await expect(shard.append(keyed('k', 'g', 'two'))).rejects.toMatchObject({ code: 'TW_IDEMPOTENCY_MISMATCH' });
  });

  test('of an append that was refused stay free', async () => {
    const shard = await openedShard();
    const bad = { ...appendOf('missing', 0, 'x'), idempotency: { key: 'k', fingerprint: 'f', answer: null } };
    await expect(shard.append(bad)).rejects.toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
    expect((await shard.append(keyed('k', 'g', 'good'))).duplicate).toBe(false);
  });

  test('are kept without records too, so that a wholly rejected request is answered alike', async () => {
    const shard = await openedShard();
    const request = { parts: [], idempotency: { key: 'k', fingerprint: 'f', answer: { accepted: 0 } } };
    const first = await shard.append(request);
    expect(first).toMatchObject({ parts: [], duplicate: false, answer: { accepted: 0 } });
    expect(await shard.append(request)).toEqual({ ...first, duplicate: true });
  });

  test('are kept for 24 hours of commit time, then used anew', async () => {
    const clock = new VirtualClock();
    const shard = await openedShard(clock);
    await shard.append(keyed('k', 'f', 'one'));
    await clock.advance(23 * HOUR_MS);
    await shard.append(appendOf(S, 0, 'other'));
    expect((await shard.append(keyed('k', 'f', 'two'))).duplicate).toBe(true);
    await clock.advance(2 * HOUR_MS);
    await shard.append(appendOf(S, 0, 'other'));
    expect((await shard.append(keyed('k', 'g', 'three'))).duplicate).toBe(false);
    expect(shard.stats().idempotencyKeys).toBe(1);
  });

  test('and their answers are bounded', async () => {
    const shard = await openedShard();
    await expect(shard.append(keyed('', 'f', 'x'))).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
    await expect(shard.append(keyed('k'.repeat(600), 'f', 'x'))).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
    const large = { ...appendOf(S, 0, 'x'), idempotency: { key: 'k', fingerprint: 'f', answer: 'x'.repeat(70_000) } };
    await expect(shard.append(large)).rejects.toMatchObject({ code: 'TW_BODY_TOO_LARGE' });
  });
});

describe('idempotent producers', () => {
  test('get the earlier answer for each of their last five batches', async () => {
    const shard = await openedShard();
    const receipts = [];
    for (let index = 0; index < 6; index++) receipts.push(await shard.append(produced(0, index * 2, 'a', 'b')));
    for (let index = 1; index < 6; index++) {
      expect(await shard.append(produced(0, index * 2, 'a', 'b'))).toEqual({ ...receipts[index], duplicate: true });
    }
    await expect(shard.append(produced(0, 0, 'a', 'b'))).rejects.toMatchObject({ code: 'TW_OUT_OF_ORDER_SEQUENCE' });
    expect(shard.nextOffsets(S)).toEqual([12, 0]);
  });

  test('may not leave a gap, and are told the next sequence', async () => {
    const shard = await openedShard();
    await shard.append(produced(0, 0, 'a', 'b'));
    await expect(shard.append(produced(0, 3, 'c'))).rejects.toMatchObject({
      code: 'TW_OUT_OF_ORDER_SEQUENCE',
      data: { expected: 2 },
    });
    await shard.append(produced(0, 2, 'c'));
  });

  test('of an older epoch are fenced; a newer epoch starts at zero', async () => {
    const shard = await openedShard();
    await shard.append(produced(3, 0, 'a'));
    await expect(shard.append(produced(2, 1, 'b'))).rejects.toMatchObject({ code: 'TW_PRODUCER_FENCED' });
    await expect(shard.append(produced(4, 1, 'b'))).rejects.toMatchObject({ code: 'TW_OUT_OF_ORDER_SEQUENCE' });
    expect((await shard.append(produced(4, 0, 'b'))).duplicate).toBe(false);
    await expect(shard.append(produced(3, 1, 'c'))).rejects.toMatchObject({ code: 'TW_PRODUCER_FENCED' });
  });

  test('go on from zero after the largest sequence', async () => {
    const shard = await openedShard();
    await shard.append(produced(0, 0x7fff_ffff, 'a'));
    expect((await shard.append(produced(0, 0, 'b'))).duplicate).toBe(false);
  });

  test('may send several batches at once; each is judged after the one before', async () => {
    const shard = await openedShard();
    const results = await Promise.allSettled([
      shard.append(produced(0, 0, 'a')),
      shard.append(produced(0, 1, 'b')),
      shard.append(produced(0, 1, 'b')),
      shard.append(produced(0, 9, 'z')),
    ]);
    expect(results).toMatchObject([
      { value: { duplicate: false } },
      { value: { duplicate: false } },
      { value: { duplicate: true, parts: [{ first: 1, last: 1 }] } },
      { reason: { code: 'TW_OUT_OF_ORDER_SEQUENCE' } },
    ]);
  });

  test('count their sequences per stream partition', async () => {
    const shard = await openedShard();
    await shard.append(produced(0, 0, 'a'));
    const elsewhere = { ...appendOf(S, 1, 'a'), producer: { id: 7, epoch: 0, sequence: 0 } };
    expect((await shard.append(elsewhere)).duplicate).toBe(false);
    const twoParts = {
      parts: [...appendOf(S, 0, 'a').parts, ...appendOf(S, 1, 'a').parts],
      producer: { id: 7, epoch: 0, sequence: 1 },
    };
    await expect(shard.append(twoParts)).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
  });
});

describe('log checkpoints', () => {
  const text = fc.string({ unit: 'binary', maxLength: 20 }).map(value => value.toWellFormed());
  const states = fc
    .record({
      seq: fc.maxSafeNat(),
      commitTimeMs: fc.maxSafeNat(),
      streams: fc.array(fc.tuple(text, fc.array(fc.maxSafeNat(), { minLength: 1, maxLength: 4 })), { maxLength: 4 }),
      writers: fc.array(fc.tuple(text, fc.maxSafeNat()), { maxLength: 4 }),
      keys: fc.array(fc.tuple(text, text, fc.jsonValue(), fc.nat()), { maxLength: 4 }),
      producers: fc.array(fc.tuple(fc.maxSafeNat(), fc.nat(255), fc.nat(32_767), fc.nat(), fc.nat()), { maxLength: 4 }),
    })
    .map(given => {
      const { seq, commitTimeMs } = given;
      // Of deletions a checkpoint knows only that none came after it.
      const state = { ...initialLogState(), seq, commitTimeMs, streams: new Map(given.streams), lastDeletionSeq: seq };
      state.writers = WriterSequences.from(given.writers, given.writers.length > 2);
      for (const [key, fingerprint, answer, offset] of given.keys) {
        const parts = [{ incarnation: key, partition: 1, first: offset, last: offset + 2 }];
        state.idempotency.record({ key, fingerprint, answer: JSON.parse(JSON.stringify(answer)), parts }, offset, offset + 7);
      }
      for (const [id, partition, epoch, sequence, seq] of given.producers) {
        const batch = { sequence, firstOffset: seq, count: 3, seq, commitTimeMs: seq };
        state.producers.set({ id, incarnation: `i${id}`, partition, epoch, batches: [batch, batch] });
      }
      return state;
    });

  test('hold the whole state', () => {
    fc.assert(
      fc.property(states, state => {
        const read = decodeLogCheckpoint(encodeLogCheckpoint(state, 4), 4);
        const plain = (from: typeof state) => ({
          ...from,
          writers: [...from.writers.entries(), from.writers.forgotten],
          idempotency: [...from.idempotency.entries()],
          producers: [...from.producers.entries()],
        });
        expect(plain(read)).toEqual(plain(state));
      }),
      { numRuns: 200 },
    );
  });

  test('that are damaged, newer, or another shard’s are refused', () => {
    const bytes = encodeLogCheckpoint({ ...initialLogState(), seq: 5 }, 1);
    for (let at = 0; at < bytes.length; at++) {
      if (at === 4 || at === 5) continue;
      const changed = Uint8Array.from(bytes);
      changed[at] ^= 1;
      expect(() => decodeLogCheckpoint(changed, 1)).toThrow(expect.objectContaining({ code: 'TW_DATA_DAMAGED' }));
    }
    const newer = Uint8Array.from(bytes);
    newer[5] = 2;
    expect(() => decodeLogCheckpoint(newer, 1)).toThrow(expect.objectContaining({ code: 'TW_FORMAT_TOO_NEW' }));
    expect(() => decodeLogCheckpoint(bytes, 2)).toThrow(expect.objectContaining({ code: 'TW_DATA_DAMAGED' }));
  });
});

describe('the sequences of writers', () => {
  test('settle an unknown attempt, until the writer has been forgotten', () => {
    const writers = new WriterSequences();
    expect(writers.settled('me', 1)).toBe(false);
    writers.record('me', 4);
    expect([writers.settled('me', 4), writers.settled('me', 3), writers.settled('me', 5)]).toEqual([true, true, false]);
    for (let index = 0; index < 1_000; index++) writers.record(`other${index}`, 1);
    expect(writers.settled('me', 4)).toBeUndefined();
    expect(writers.size).toBe(1_000);
  });

  test('settle an attempt whose entry the floor has passed', async () => {
    const journal = new ObjectJournal(new MemoryObjectStore(), 'log');
    const other = await openShard(journal);
    await other.control([creating(S)]);
    let stalled: (() => Promise<void>) | null = null;
    const slow = {
      ...passThrough(journal),
      create: async (seq: number, bytes: Uint8Array) => {
        const outcome = await journal.create(seq, bytes);
        await stalled?.();
        return stalled === null ? outcome : { kind: 'unknown' as const, cause: 'reply lost' };
      },
    };
    const shard = await openShard(slow);
    stalled = async () => {
      stalled = null;
      await other.refresh();
      await other.append(appendOf(S, 0, 'others go on'));
      await other.raiseFloor(other.seq);
      stalled = async () => {};
    };
    const receipt = await shard.append(appendOf(S, 0, 'mine'));
    expect(receipt).toMatchObject({ seq: 2, parts: [{ first: 0, last: 0 }] });
    expect(shard.nextOffsets(S)).toEqual([2]);
  });
});

function passThrough(journal: ObjectJournal) {
  return {
    read: (seq: number) => journal.read(seq),
    floor: () => journal.floor(),
    raiseFloor: (to: number) => journal.raiseFloor(to),
    collect: () => journal.collect(),
    latestCheckpoint: () => journal.latestCheckpoint(),
    writeCheckpoint: (checkpoint: { seq: number; bytes: Uint8Array }) => journal.writeCheckpoint(checkpoint),
    close: () => journal.close(),
  };
}
