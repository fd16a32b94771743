import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom, TailwaterError, utf8 } from '../../src/base/index.ts';
import { MAX_SEGMENT_RECORDS, type Segment, type SegmentBatch } from '../../src/streams/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { appendOf, creating, linesOf, memoryJournal, openShard, slabOf, texts, withFaults } from './log-support.ts';

const A = 'aaaaaaaaaaaaaaaa';
const B = 'bbbbbbbbbbbbbbbb';

describe('appends', () => {
  test('of one moment share a segment, one batch per stream partition, in the order of the calls', async () => {
    const shard = await openShard(memoryJournal());
    await shard.control([creating(A, 2), creating(B)]);
    const segments: Segment[] = [];
    shard.onSegment(segment => segments.push(segment));
    const receipts = await Promise.all([
      shard.append(appendOf(A, 0, 'a0', 'a1')),
      shard.append(appendOf(B, 0, 'b0')),
      shard.append({ parts: [...appendOf(A, 1, 'a2').parts, ...appendOf(A, 0, 'a3').parts] }),
    ]);
    expect(segments.map(linesOf)).toEqual([[`${A}/0@0=a0`, `${A}/0@1=a1`, `${A}/0@2=a3`, `${B}/0@0=b0`, `${A}/1@0=a2`]]);
    expect(segments[0].batches.map((batch: SegmentBatch) => batch.firstIndex)).toEqual([0, 3, 4]);
    expect(receipts.map(receipt => receipt.parts.map(({ partition, first, last }) => [partition, first, last]))).toEqual([
      [[0, 0, 1]],
      [[0, 0, 0]],
      [
        [1, 0, 0],
        [0, 2, 2],
      ],
    ]);
    expect(new Set(receipts.map(receipt => receipt.seq))).toEqual(new Set([2]));
    expect(shard.nextOffsets(A)).toEqual([3, 1]);
  });

  test('are seen by every listener before they are acknowledged', async () => {
    const shard = await openShard(memoryJournal());
    await shard.control([creating(A)]);
    const events: string[] = [];
    shard.onSegment(segment => events.push(`seen ${segment.seq}`));
    const acknowledged = [1, 2, 3].map(async index => {
      const receipt = await shard.append(appendOf(A, 0, `v${index}`));
      events.push(`acknowledged ${receipt.seq}`);
      if (index === 2) await shard.append(appendOf(A, 0, 'later'));
    });
    await Promise.all(acknowledged);
    expect(events).toEqual(['seen 2', 'acknowledged 2', 'acknowledged 2', 'acknowledged 2', 'seen 3']);
  });

  test('stay durable and acknowledged when a listener fails', async () => {
    const shard = await openShard(memoryJournal());
    await shard.control([creating(A)]);
    const seen: number[] = [];
    shard.onSegment(() => {
      throw new TailwaterError('TW_INTERNAL');
    });
    shard.onSegment(segment => seen.push(segment.seq));
    await shard.append(appendOf(A, 0, 'x'));
    await shard.append(appendOf(A, 0, 'y'));
    expect(seen).toEqual([2, 3]);
    expect(shard.stats().listenerErrors).toBe(2);
  });

  test('that cannot be written fail alone', async () => {
    const shard = await openShard(memoryJournal());
    await shard.control([creating(A)]);
    const results = await Promise.allSettled([
      shard.append(appendOf(A, 0, 'good')),
      shard.append(appendOf(B, 0, 'no such stream')),
      shard.append(appendOf(A, 1, 'no such partition')),
      shard.append({ parts: [...appendOf(A, 0, 'half').parts, ...appendOf(B, 0, 'missing').parts] }),
      shard.append({ parts: [{ incarnation: A, partition: 0, records: { ...texts('x'), timesMs: Float64Array.of(0.5) } }] }),
      shard.append({ parts: [{ incarnation: A, partition: 0, records: { ...texts('x'), valueEnd: Int32Array.of(99) } }] }),
      shard.append({ parts: [{ incarnation: A, partition: 0, records: texts() }] }),
      shard.append(appendOf(A, 0, 'good too')),
    ]);
    const codes = results.map(result => (result.status === 'fulfilled' ? result.value.parts[0].first : result.reason.code));
    expect(codes).toEqual([
      0,
      'TW_STREAM_NOT_FOUND',
      'TW_BAD_REQUEST',
      'TW_STREAM_NOT_FOUND',
      'TW_BAD_REQUEST',
      'TW_BAD_REQUEST',
      'TW_BAD_REQUEST',
      1,
    ]);
  });

  test('beyond a segment’s limits are TW_BODY_TOO_LARGE', async () => {
    const shard = await openShard(memoryJournal(), { maxSegmentBytes: 10_000 });
    await shard.control([creating(A)]);
    await expect(shard.append(appendOf(A, 0, 'x'.repeat(10_000)))).rejects.toMatchObject({ code: 'TW_BODY_TOO_LARGE' });
    const many = slabOf(Array.from({ length: MAX_SEGMENT_RECORDS + 1 }, () => ({ key: null, value: null, timeMs: 0 })));
    const wide = await openShard(memoryJournal());
    await wide.control([creating(A)]);
    const append = wide.append({ parts: [{ incarnation: A, partition: 0, records: many }] });
    await expect(append).rejects.toMatchObject({ code: 'TW_BODY_TOO_LARGE' });
  });

  test('beyond the queue’s bound are TW_BUSY at once, and nothing of them is written', async () => {
    const shard = await openShard(memoryJournal(), { maxQueuedBytes: 4_000 });
    await shard.control([creating(A)]);
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => shard.append(appendOf(A, 0, 'x'.repeat(500)))));
    const accepted = results.filter(result => result.status === 'fulfilled').length;
    const refused = results.flatMap(result => (result.status === 'rejected' ? [result.reason] : []));
    expect(accepted).toBeGreaterThan(0);
    expect(refused.length).toBeGreaterThan(0);
    for (const error of refused) expect(error).toMatchObject({ code: 'TW_BUSY', retryAfterMs: expect.any(Number) });
    expect(shard.nextOffsets(A)).toEqual([accepted]);
  });

  test('split into several segments where one would be too large', async () => {
    const shard = await openShard(memoryJournal(), { maxSegmentBytes: 4_096 });
    await shard.control([creating(A)]);
    const sizes: number[] = [];
    shard.onSegment(segment => sizes.push(segment.byteLength));
    await Promise.all(Array.from({ length: 20 }, () => shard.append(appendOf(A, 0, 'x'.repeat(700)))));
    expect(sizes.length).toBeGreaterThan(3);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4_096);
    expect(shard.nextOffsets(A)).toEqual([20]);
  });

  test('gather for the linger time, and no longer once a segment is full', async () => {
    const clock = new VirtualClock();
    const shard = await openShard(memoryJournal(), { clock, lingerMs: 100, maxSegmentBytes: 2_000 });
    await clock.run(shard.control([creating(A)]));
    const startMs = clock.nowMs();
    const first = shard.append(appendOf(A, 0, 'one'));
    await clock.advance(60);
    const second = shard.append(appendOf(A, 0, 'two'));
    expect((await clock.run(first)).seq).toBe((await clock.run(second)).seq);
    expect(clock.nowMs() - startMs).toBe(100);
    const large = Promise.all([1, 2, 3].map(() => shard.append(appendOf(A, 0, 'x'.repeat(1_000)))));
    await clock.advance(0);
    expect(shard.stats().segments).toBeGreaterThan(2);
    await clock.run(large);
  });
});

describe('time', () => {
  test('of commits rises by at least a millisecond, even while the clock stands still or goes back', async () => {
    const journal = memoryJournal();
    const shard = await openShard(journal, { clock: new VirtualClock(5_000) });
    await shard.control([creating(A)]);
    const times: number[] = [];
    for (let index = 0; index < 3; index++) times.push((await shard.append(appendOf(A, 0, 'x'))).commitTimeMs);
    expect(times).toEqual([5_001, 5_002, 5_003]);
    const behind = await openShard(journal, { clock: new VirtualClock(1_000), random: seededRandom(2) });
    expect((await behind.append(appendOf(A, 0, 'x'))).commitTimeMs).toBe(5_004);
    expect(behind.commitTimeMs).toBe(5_004);
  });
});

describe('control records', () => {
  test('that change nothing are left out', async () => {
    const shard = await openShard(memoryJournal());
    const first = await shard.control([creating(A, 2)]);
    await shard.append(appendOf(A, 1, 'x'));
    expect(await shard.control([creating(A, 2)])).toEqual({ seq: 2, commitTimeMs: shard.commitTimeMs });
    expect(shard.nextOffsets(A)).toEqual([0, 1]);
    await shard.control([{ kind: 'partitions', incarnation: A, partitions: 3 }]);
    expect(shard.nextOffsets(A)).toEqual([0, 1, 0]);
    await shard.control([{ kind: 'partitions', incarnation: A, partitions: 2 }]);
    expect(shard.nextOffsets(A)).toEqual([0, 1, 0]);
    await shard.control([{ kind: 'delete', incarnation: A }]);
    expect(shard.nextOffsets(A)).toBeUndefined();
    expect(first.seq).toBe(1);
    expect((await shard.control([{ kind: 'delete', incarnation: A }])).seq).toBe(shard.seq);
  });

  test('keep their place among the appends around them', async () => {
    const shard = await openShard(memoryJournal());
    const results = await Promise.allSettled([
      shard.control([creating(A)]),
      shard.append(appendOf(A, 0, 'lives')),
      shard.control([{ kind: 'delete', incarnation: A }]),
      shard.append(appendOf(A, 0, 'too late')),
    ]);
    expect(results.map(result => result.status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
    expect(shard.incarnations()).toEqual([]);
  });
});

describe('the end', () => {
  test('commits what waits, refuses what comes after, and leaves a checkpoint', async () => {
    const journal = memoryJournal();
    const shard = await openShard(journal, { lingerMs: 1_000 });
    const created = shard.control([creating(A)]);
    const waiting = shard.append(appendOf(A, 0, 'x'));
    const closing = shard.close();
    await expect(shard.append(appendOf(A, 0, 'late'))).rejects.toMatchObject({ code: 'TW_CLOSED' });
    await closing;
    expect([(await created).seq, (await waiting).seq]).toEqual([1, 2]);
    expect((await journal.latestCheckpoint())?.seq).toBe(2);
  });

  test('of segments nobody needs leaves a log that goes on from its checkpoint', async () => {
    const journal = memoryJournal();
    const shard = await openShard(journal);
    await shard.control([creating(A)]);
    for (let index = 0; index < 5; index++) await shard.append(appendOf(A, 0, `v${index}`));
    await shard.raiseFloor(4);
    expect([await journal.read(4), await journal.floor()]).toEqual([null, 5]);
    await expect(shard.raiseFloor(99)).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
    const reopened = await openShard(journal, { random: seededRandom(2) });
    expect([reopened.seq, reopened.nextOffsets(A)]).toEqual([6, [5]]);
    expect((await reopened.append(appendOf(A, 0, 'next'))).parts[0].first).toBe(5);
  });
});

describe('a follower that fell behind the floor', () => {
  test('says which segments it will never see', async () => {
    const journal = memoryJournal();
    const writer = await openShard(journal);
    await writer.control([creating(A)]);
    const follower = await openShard(journal, { random: seededRandom(2) });
    const jumps: [number, number][] = [];
    follower.onReloaded((fromSeq, toSeq) => jumps.push([fromSeq, toSeq]));
    for (let index = 0; index < 4; index++) await writer.append(appendOf(A, 0, 'x'));
    await writer.raiseFloor(4);
    await follower.refresh();
    expect(jumps).toEqual([[1, 5]]);
    expect(follower.nextOffsets(A)).toEqual([4]);
  });
});

describe('failed commits', () => {
  test('acknowledge nothing, say so to each caller, and let later appends go on', async () => {
    let failing = false;
    const journal = withFaults(
      memoryJournal(),
      () => (failing ? 'fails' : null),
      () => new TailwaterError('TW_STORAGE_FULL'),
    );
    const shard = await openShard(journal);
    await shard.control([creating(A)]);
    failing = true;
    const results = await Promise.allSettled([shard.append(appendOf(A, 0, 'x')), shard.append(appendOf(A, 0, 'y'))]);
    expect(results).toMatchObject([{ reason: { code: 'TW_STORAGE_FULL' } }, { reason: { code: 'TW_STORAGE_FULL' } }]);
    failing = false;
    expect((await shard.append(appendOf(A, 0, 'z'))).parts[0].first).toBe(0);
  });

  test('whose reply was lost are settled by reading, and acknowledged once', async () => {
    const faults = fc.sample(fc.constantFrom('lost-after' as const, 'lost-before' as const, null), { numRuns: 400, seed: 7 });
    const journal = withFaults(
      memoryJournal(),
      () => faults.pop() ?? null,
      () => new TailwaterError('TW_INTERNAL'),
    );
    const shard = await openShard(journal);
    const lines: string[] = [];
    shard.onSegment(segment => lines.push(...linesOf(segment)));
    await shard.control([creating(A)]);
    for (let index = 0; index < 60; index++) {
      const receipt = await shard.append(appendOf(A, 0, `v${index}`));
      expect(receipt.parts[0].first).toBe(index);
    }
    expect(lines).toEqual(Array.from({ length: 60 }, (_, index) => `${A}/0@${index}=v${index}`));
  });

  test('that stay unknown are TW_OUTCOME_UNKNOWN, and a retry with the same key learns the answer', async () => {
    let broken = false;
    const inner = memoryJournal();
    const faulty = withFaults(
      inner,
      () => (broken ? 'lost-after' : null),
      () => new TailwaterError('TW_INTERNAL'),
    );
    const journal = {
      ...faulty,
      read: (seq: number) => (broken ? Promise.reject(new TailwaterError('TW_STORAGE_UNAVAILABLE')) : inner.read(seq)),
    };
    const shard = await openShard(journal);
    await shard.control([creating(A)]);
    const request = { ...appendOf(A, 0, 'x'), idempotency: { key: 'k', fingerprint: 'f', answer: { accepted: 1 } } };
    broken = true;
    await expect(shard.append(request)).rejects.toMatchObject({ code: 'TW_OUTCOME_UNKNOWN' });
    broken = false;
    const retried = await shard.append(request);
    expect(retried).toMatchObject({ seq: 2, duplicate: true, answer: { accepted: 1 }, parts: [{ first: 0, last: 0 }] });
    expect((await shard.append(appendOf(A, 0, 'y'))).parts[0].first).toBe(1);
  });
});

test('damage in another writer’s segment stops the log rather than being skipped', async () => {
  const journal = memoryJournal();
  const shard = await openShard(journal);
  await shard.control([creating(A)]);
  await journal.create(2, utf8('not a segment'));
  await expect(shard.refresh()).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
  await expect(shard.append(appendOf(A, 0, 'x'))).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
});

describe('with a longest linger', () => {
  const BYTES = 64_000;
  const settings = { lingerMs: 200, maxLingerMs: 1000, maxSegmentBytes: BYTES };
  const record = (bytes: number): string => 'x'.repeat(bytes);

  async function segmentsOf(bytesPer50Ms: number, forMs: number): Promise<{ count: number; slowestMs: number }> {
    const clock = new VirtualClock();
    const shard = await openShard(memoryJournal(), { clock, ...settings });
    await clock.run(shard.control([creating(A)]));
    const before = shard.seq;
    const waits: Promise<number>[] = [];
    for (let ms = 0; ms < forMs; ms += 50) {
      const startMs = clock.nowMs();
      waits.push(shard.append(appendOf(A, 0, record(bytesPer50Ms))).then(() => clock.nowMs() - startMs));
      await clock.advance(50);
    }
    const slowestMs = Math.max(...(await clock.run(Promise.all(waits))));
    return { count: shard.seq - before, slowestMs };
  }

  test('appends that come fast fill segments; slow ones wait no longer than the linger', async () => {
    const fast = await segmentsOf(BYTES / 16, 10_000);
    expect(fast.count).toBeLessThanOrEqual(16);
    expect(fast.slowestMs).toBeLessThanOrEqual(settings.maxLingerMs + 100);
    const slow = await segmentsOf(BYTES / 200, 10_000);
    expect(slow.slowestMs).toBeLessThanOrEqual(settings.lingerMs + 50);
  });

  test('writers that all wait are not kept waiting for others', async () => {
    const clock = new VirtualClock();
    const shard = await openShard(memoryJournal(), { clock, ...settings });
    await clock.run(shard.control([creating(A)]));
    const startMs = clock.nowMs();
    await clock.run(Promise.all([1, 2, 3].map(() => shard.append(appendOf(A, 0, record(10_000))))));
    expect(clock.nowMs() - startMs).toBeLessThanOrEqual(settings.lingerMs);
  });
});
