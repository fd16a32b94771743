import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/index.ts';
import { FileJournal } from '../../src/journal/index.ts';
import { nodeFileSystem } from '../../src/storage/index.ts';
import { LogReader, type LogShard } from '../../src/streams/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { appendOf, creating, linesOf, openShard } from './log-support.ts';

const S = 'ssssssssssssssss';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailwater-log-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function openJournal(): Promise<FileJournal> {
  return FileJournal.open(nodeFileSystem, folder, { random: seededRandom(3), maxFileBytes: 4_096 });
}

/** Opens the folder anew, which nobody sealed, as after a crash. */
async function recovered(seed: number, checkpointEverySegments = 1_000): Promise<LogShard> {
  return openShard(await openJournal(), { random: seededRandom(seed), clock: new VirtualClock(), checkpointEverySegments });
}

describe('a log in a folder, after a crash', () => {
  test('has every acknowledged record, and goes on at the next offset', async () => {
    const shard = await recovered(1);
    await shard.control([creating(S, 2)]);
    for (let index = 0; index < 25; index++) await shard.append(appendOf(S, index % 2, `v${index}`, 'x'.repeat(300)));
    const again = await recovered(2);
    expect(again.nextOffsets(S)).toEqual([26, 24]);
    expect(again.commitTimeMs).toBe(shard.commitTimeMs);
    expect((await again.append(appendOf(S, 0, 'next'))).parts[0]).toMatchObject({ first: 26, last: 26 });
    const reader = new LogReader(await openJournal());
    const lines: string[] = [];
    for await (const segment of reader.range(1, again.seq)) lines.push(...linesOf(segment));
    expect(lines.filter(line => line.includes('=v'))).toHaveLength(25);
  });

  test('still knows idempotency keys and producers, from a checkpoint as from the segments', async () => {
    for (const checkpointEverySegments of [1, 1_000]) {
      const shard = await recovered(10, checkpointEverySegments);
      await shard.control([creating(`${S}${checkpointEverySegments}`)]);
      const incarnation = `${S}${checkpointEverySegments}`;
      const keyed = { ...appendOf(incarnation, 0, 'a'), idempotency: { key: incarnation, fingerprint: 'f', answer: ['kept'] } };
      const produced = { ...appendOf(incarnation, 0, 'b', 'c'), producer: { id: 9, epoch: 0, sequence: 0 } };
      const first = await shard.append(keyed);
      const second = await shard.append(produced);
      // Ends a checkpoint that may be on its way, as a crash would; the journal stays unsealed.
      if (checkpointEverySegments === 1) await shard.close();
      const again = await recovered(11, checkpointEverySegments);
      expect(await again.append(keyed)).toEqual({ ...first, duplicate: true });
      expect(await again.append(produced)).toEqual({ ...second, duplicate: true });
      const other = { ...keyed, idempotency: { ...keyed.idempotency, fingerprint: 'g' } };
      await expect(again.append(other)).rejects.toMatchObject({ code: 'TW_IDEMPOTENCY_MISMATCH' });
      expect(again.nextOffsets(incarnation)).toEqual([3]);
    }
  });
});
