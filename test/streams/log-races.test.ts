import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTailwaterError, seededRandom, TailwaterError } from '../../src/base/index.ts';
import type { Journal } from '../../src/journal/index.ts';
import { LogReader, type LogShard } from '../../src/streams/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { appendOf, creating, type Fault, linesOf, memoryJournal, openShard, withFaults } from './log-support.ts';

const STREAMS = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'];
const PARTITIONS = 2;

type Step =
  | { kind: 'append'; writer: number; stream: number; partition: number; count: number; key: number | null }
  | { kind: 'pause' }
  | { kind: 'refresh'; writer: number }
  | { kind: 'restart'; writer: number }
  | { kind: 'checkpoint'; writer: number };

const writerIndex = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      writer: writerIndex,
      stream: fc.nat(STREAMS.length - 1),
      partition: fc.nat(PARTITIONS - 1),
      count: fc.integer({ min: 1, max: 4 }),
      key: fc.option(fc.nat(5), { freq: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'pause' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refresh' as const), writer: writerIndex }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), writer: writerIndex }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('checkpoint' as const), writer: writerIndex }) },
);
const faults: fc.Arbitrary<Fault | null> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constantFrom<Fault>('lost-before', 'lost-after', 'fails') },
);

interface Acknowledged {
  label: string;
  place: string;
  first: number;
  count: number;
  key: number | null;
  duplicate: boolean;
}

/** Three writers of one log, as three processes would be; what each was told, and what the log holds in the end. */
class Deployment {
  readonly acknowledged: Acknowledged[] = [];
  readonly refusedLabels: string[] = [];
  readonly unknownLabels: string[] = [];
  readonly #journal: Journal;
  readonly #writers: LogShard[] = [];
  readonly #running: Promise<void>[] = [];
  #seed = 0;
  #labels = 0;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  async start(): Promise<void> {
    for (let index = 0; index < 3; index++) this.#writers.push(await this.#open());
    for (;;) {
      try {
        await this.#writers[0].control(STREAMS.map(incarnation => creating(incarnation, PARTITIONS)));
        return;
      } catch (error) {
        if (!isTailwaterError(error, 'TW_STORAGE_UNAVAILABLE', 'TW_OUTCOME_UNKNOWN')) throw error;
      }
    }
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const next of steps) {
      if (next.kind === 'append') this.#running.push(this.#append(next));
      else if (next.kind === 'pause') await Promise.all(this.#running.splice(0));
      else if (next.kind === 'refresh') this.#running.push(this.#writers[next.writer].refresh());
      else if (next.kind === 'restart') this.#writers[next.writer] = await this.#open();
      else await this.#writers[next.writer].checkpoint();
    }
    await Promise.all(this.#running.splice(0));
  }

  #open(): Promise<LogShard> {
    return openShard(this.#journal, {
      random: seededRandom(++this.#seed),
      clock: new VirtualClock(),
      checkpointEverySegments: 3,
    });
  }

  async #append({ writer, stream, partition, count, key }: Step & { kind: 'append' }): Promise<void> {
    const label = `r${++this.#labels}`;
    const incarnation = STREAMS[stream];
    const values = Array.from({ length: count }, (_, index) => `${label}.${index}`);
    const idempotency = { key: `k${key}`, fingerprint: `${stream}/${partition}/${count}`, answer: label };
    const request = appendOf(incarnation, partition, ...values);
    try {
      const receipt = await this.#writers[writer].append(key === null ? request : { ...request, idempotency });
      const [part] = receipt.parts;
      const told = key === null ? label : String(receipt.answer);
      const place = `${incarnation}/${partition}`;
      this.acknowledged.push({ label: told, place, first: part.first, count, key, duplicate: receipt.duplicate });
    } catch (error) {
      if (isTailwaterError(error, 'TW_IDEMPOTENCY_MISMATCH', 'TW_STORAGE_UNAVAILABLE')) this.refusedLabels.push(label);
      else if (isTailwaterError(error, 'TW_OUTCOME_UNKNOWN')) this.unknownLabels.push(label);
      else throw error;
    }
  }
}

async function linesIn(journal: Journal): Promise<string[]> {
  const reader = new LogReader(journal);
  const lines: string[] = [];
  for (let seq = 1; ; seq++) {
    const segment = await reader.read(seq);
    if (segment === null) return lines;
    lines.push(...linesOf(segment));
  }
}

describe('several writers of one log', () => {
  test('give dense offsets, lose nothing, double nothing, whatever is lost on the way and whoever restarts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.array(faults, { maxLength: 40 }), async (steps, script) => {
        const inner = memoryJournal();
        const journal = withFaults(
          inner,
          () => script.pop() ?? null,
          () => new TailwaterError('TW_STORAGE_UNAVAILABLE'),
        );
        const deployment = new Deployment(journal);
        await deployment.start();
        await deployment.run(steps);
        const lines = await linesIn(inner);
        const offsets = new Map<string, string[]>();
        for (const line of lines) {
          const [place, rest] = line.split('@');
          const [offset, value] = rest.split('=');
          const values = offsets.get(place) ?? [];
          expect(Number(offset), 'offsets are dense').toBe(values.length);
          offsets.set(place, [...values, value]);
        }
        const labels = lines.filter(line => line.endsWith('.0')).map(line => line.split('=')[1].slice(0, -2));
        expect(new Set(labels).size, 'no append is in the log twice').toBe(labels.length);
        for (const refused of deployment.refusedLabels) expect(labels, 'refused means not written').not.toContain(refused);
        for (const { label, place, first, count } of deployment.acknowledged) {
          const written = offsets.get(place)?.slice(first, first + count);
          expect(written).toEqual(Array.from({ length: count }, (_, index) => `${label}.${index}`));
        }
        const firsts = deployment.acknowledged.filter(entry => !entry.duplicate).map(entry => entry.label);
        expect(new Set(firsts).size).toBe(firsts.length);
        const byKey = Map.groupBy(
          deployment.acknowledged.filter(entry => entry.key !== null),
          entry => entry.key,
        );
        for (const entries of byKey.values()) {
          expect(new Set(entries.map(entry => entry.label)).size, 'one key, one append').toBe(1);
          expect(entries.filter(entry => !entry.duplicate).length).toBeLessThanOrEqual(1);
        }
        const known = [...firsts, ...deployment.unknownLabels];
        const keyed = deployment.acknowledged.map(entry => entry.label);
        expect(
          labels.filter(label => !known.includes(label) && !keyed.includes(label)),
          'nothing else is in the log',
        ).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  test('a stream that another writer has just created is found, not refused from old knowledge', async () => {
    const journal = memoryJournal();
    const [one, two] = [await openShard(journal), await openShard(journal, { random: seededRandom(2) })];
    await one.control([creating('new', 1)]);
    expect((await two.append(appendOf('new', 0, 'x'))).parts[0].first).toBe(0);
    await one.control([{ kind: 'partitions', incarnation: 'new', partitions: 2 }]);
    expect((await two.append(appendOf('new', 1, 'y'))).parts[0].first).toBe(0);
    await one.control([{ kind: 'delete', incarnation: 'new' }]);
    await expect(two.append(appendOf('new', 0, 'z'))).rejects.toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
  });

  test('a writer that loses a race sends the same records with new offsets', async () => {
    const journal = memoryJournal();
    const [one, two] = [await openShard(journal), await openShard(journal, { random: seededRandom(2) })];
    await one.control([creating('s', 1)]);
    await two.refresh();
    const seen: string[] = [];
    two.onSegment(segment => seen.push(...linesOf(segment)));
    const receipts = await Promise.all([one.append(appendOf('s', 0, 'a', 'b')), two.append(appendOf('s', 0, 'c'))]);
    expect(receipts.map(receipt => receipt.parts[0].first).sort()).toEqual(receipts[0].seq < receipts[1].seq ? [0, 2] : [0, 1]);
    await two.refresh();
    expect(seen).toEqual(await linesIn(journal));
  });
});
