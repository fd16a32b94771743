import { describe, expect, test } from 'vitest';
import { TailwaterError } from '../../src/base/index.ts';
import { LogReader } from '../../src/streams/index.ts';
import { appendOf, creating, linesOf, memoryJournal, openShard } from './log-support.ts';

async function written(count: number) {
  const journal = memoryJournal();
  const shard = await openShard(journal);
  await shard.control([creating('s')]);
  for (let index = 0; index < count; index++) await shard.append(appendOf('s', 0, `v${index}`, 'x'.repeat(1_000)));
  return { journal, shard };
}

async function seqsOf(reader: LogReader, from: number, through: number): Promise<number[]> {
  const seqs: number[] = [];
  for await (const segment of reader.range(from, through)) seqs.push(segment.seq);
  return seqs;
}

describe('a reader of the log', () => {
  test('gives the segments that were committed, in order', async () => {
    const { journal, shard } = await written(9);
    const reader = new LogReader(journal);
    expect(linesOf((await reader.read(3))!)[0]).toBe('s/0@2=v1');
    expect(await seqsOf(reader, 2, shard.seq)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await seqsOf(reader, 5, 4)).toEqual([]);
    expect(await reader.read(11)).toBeNull();
  });

  test('says whether a missing segment is gone or not there yet', async () => {
    const { journal, shard } = await written(5);
    await shard.raiseFloor(3);
    const reader = new LogReader(journal);
    await expect(seqsOf(reader, 2, 6)).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED', data: { floor: 4 } });
    await expect(seqsOf(reader, 4, 9)).rejects.toMatchObject({ code: 'TW_NOT_YET_VISIBLE', data: { seq: 7 } });
  });

  test('reports a read-ahead that fails in its turn, and leaves no rejection behind when it fails earlier', async () => {
    const { journal } = await written(9);
    const slow = Promise.withResolvers<void>();
    journal.read = async (seq): Promise<Uint8Array | null> => {
      if (seq > 3) throw new TailwaterError('TW_STORAGE_UNAVAILABLE');
      await slow.promise;
      return original(seq);
    };
    const original = Object.getPrototypeOf(journal).read.bind(journal);
    const seen: number[] = [];
    const reading = (async () => {
      for await (const segment of new LogReader(journal).range(3, 6)) seen.push(segment.seq);
    })();
    await new Promise(resolve => setImmediate(resolve));
    slow.resolve();
    await expect(reading).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
    expect(seen).toEqual([3]);
  });

  test('keeps what was read lately, within its bound', async () => {
    const { journal } = await written(20);
    const reader = new LogReader(journal, { maxCacheBytes: 5_000 });
    await seqsOf(reader, 1, 21);
    expect(reader.stats().cachedBytes).toBeLessThanOrEqual(5_000);
    expect(reader.stats().cachedSegments).toBeGreaterThan(1);
    const before = reader.stats().hits;
    await reader.read(21);
    expect(reader.stats().hits).toBe(before + 1);
    expect((await reader.read(2))?.seq).toBe(2);
  });

  test('may be left in the middle of a range', async () => {
    const { journal } = await written(9);
    const reader = new LogReader(journal);
    for await (const segment of reader.range(1, 10)) if (segment.seq === 2) break;
    expect(await seqsOf(reader, 9, 10)).toEqual([9, 10]);
  });
});
