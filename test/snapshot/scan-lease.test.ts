import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/index.ts';
import { Pins } from '../../src/journal/index.ts';
import { LEASE_MS, leasedBatches } from '../../src/snapshot/scan/leased-batches.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { scanned } from './scan-support.ts';
import { withEngine } from './temporary-engine.ts';

const BATCHES = [10, 20, 30].map(lastSeq => ({ rows: 10, columns: [], lastSeq }));

async function* three() {
  yield* BATCHES;
}

describe('a scan that takes long', () => {
  test('is read to its end, although the collector gives up every state meanwhile; then it lets go (J9)', () =>
    withEngine(
      async tailwater => {
        const settings = { kind: 'upsert' as const, key: 'id', history: 'PT0.001S' };
        await tailwater.createStream('rows', settings);
        const fill = async (round: number): Promise<void> => {
          const values = Array.from({ length: 20_000 }, (_, id) => ({ value: { id: `k${id}`, round } }));
          await tailwater.append('rows', values);
          await tailwater.compact('rows');
        };
        await fill(1);
        const before = await scanned(tailwater, { columns: ['id', 'round'] });
        const scan = await tailwater.engine.scan('rows', { columns: ['id', 'round'] });
        let rows = 0;
        for await (const batch of scan.batches) {
          if (rows === 0) {
            await fill(2);
            await fill(3);
            expect(await tailwater.collect()).toMatchObject({ problems: [], pins: { active: 1 } });
          }
          rows += batch.rows;
        }
        expect(rows).toBe(20_000);
        expect(before.rows.every(row => row.round === 1)).toBe(true);
        expect(await tailwater.collect()).toMatchObject({ problems: [], pins: { active: 0 } });
        await expect(tailwater.engine.scan('rows', { consistency: { asOf: scan.token } })).rejects.toMatchObject({
          code: 'TW_HISTORY_EXPIRED',
        });
      },
      { collection: { auto: false, graceMs: 0, logHistoryMs: 0, historySlack: 0 } },
    ));

  test.each(['iceberg', 'lance'] as const)(
    'of a state of %s that only a tag kept is read to its end, although the tag is deleted (C5)',
    format =>
      withEngine(
        async tailwater => {
          await tailwater.createStream('rows', { kind: 'upsert', key: 'id', history: 'PT0.001S', table: { format } });
          const fill = async (round: number): Promise<void> => {
            await tailwater.append(
              'rows',
              Array.from({ length: 20_000 }, (_, id) => ({ value: { id: `k${id}`, round } })),
            );
            await tailwater.compact('rows', { full: true });
          };
          await fill(1);
          await tailwater.createTag('rows', 'first');
          for (const round of [2, 3]) {
            await fill(round);
            expect((await tailwater.collect({ thorough: true })).problems).toEqual([]);
          }
          const scan = await tailwater.engine.scan('rows', { columns: ['round'], consistency: { asOf: { tag: 'first' } } });
          const again = await tailwater.engine.scan('rows', { columns: ['round'], consistency: { asOf: { tag: 'first' } } });
          let rows = 0;
          for await (const batch of scan.batches) {
            if (rows === 0) {
              await tailwater.deleteTag('rows', 'first');
              for (const _ of [1, 2]) {
                expect(await tailwater.collect({ thorough: true })).toMatchObject({ problems: [], pins: { active: 1 } });
              }
            }
            rows += batch.rows;
            for (const value of batch.columns[0].values) expect(value).toBe(1n);
          }
          expect(rows).toBe(20_000);
          expect(await tailwater.collect()).toMatchObject({ problems: [], pins: { active: 0 } });
          await expect(again.batches[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
          const asOf = { consistency: { asOf: scan.token } };
          await expect(tailwater.engine.scan('rows', asOf)).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
        },
        { collection: { auto: false, graceMs: 0, logHistoryMs: 0, historySlack: 0 } },
      ),
  );

  test('keeps its pin as long as someone reads, and not when nobody does', async () => {
    const clock = new VirtualClock();
    const pins = new Pins(new MemoryObjectStore(), 'node', clock, seededRandom(1));
    const reading = leasedBatches(three(), [await pins.create({}, LEASE_MS)], { clock, token: 't', afterSeq: -1 });
    for (const batch of BATCHES) {
      expect((await reading.next()).value).toBe(batch);
      await clock.advance(LEASE_MS * 0.7);
      expect(await pins.list()).toHaveLength(1);
    }
    expect((await reading.next()).done).toBe(true);
    expect(await pins.list()).toHaveLength(0);
    const left = leasedBatches(three(), [await pins.create({}, LEASE_MS)], { clock, token: 't', afterSeq: -1 });
    await left.next();
    await left.return(undefined);
    expect(await pins.list()).toHaveLength(0);
  });

  test('ends with the place to resume from, once its reader was away for too long', async () => {
    const clock = new VirtualClock();
    const pins = new Pins(new MemoryObjectStore(), 'node', clock, seededRandom(1));
    const reading = leasedBatches(three(), [await pins.create({}, LEASE_MS)], { clock, token: 'instant', afterSeq: -1 });
    await reading.next();
    await reading.next();
    await clock.advance(LEASE_MS * 1.1);
    await expect(reading.next()).rejects.toMatchObject({
      code: 'TW_SNAPSHOT_EXPIRED',
      data: { resume: { asOf: 'instant', afterSeq: 20 } },
    });
  });
});
