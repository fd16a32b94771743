import { TailwaterClient } from '../../src/client.ts';
import type { ApiRecord } from '../../src/index.ts';
import type { Dice } from '../simulation/dice.ts';
import { CheckSearch } from './check-search.ts';
import { type Batch, type Ledger, type Ranges, type StreamName, sameRanges } from './ledger.ts';
import { STREAMS, send } from './load.ts';

const PAGE = 10_000;
/** Acknowledged batches that are sent again, to hear their first answer. */
const REPEATED = 4;

/** What a check found, besides violations. */
export interface Findings {
  /** Batches of unknown outcome that were there, or were not, before they were sent again. */
  unknownPresent: number;
  unknownAbsent: number;
  /** Numbers of the newest table states, and the lowest segment kept: what compaction and collection did. */
  tableStates: number;
  logFloor: number;
}

/** Holds a node that has just started against the ledger. Violations go into the ledger. */
export class Check {
  readonly #ledger: Ledger;
  readonly #client: TailwaterClient;
  readonly #dice: Dice;

  constructor(ledger: Ledger, url: string, dice: Dice) {
    this.#ledger = ledger;
    this.#client = new TailwaterClient({ url, readYourWrites: false });
    this.#dice = dice;
  }

  async everything(): Promise<Findings> {
    const found = await this.#events();
    const settled = await this.#settleUnknown(found);
    await this.#repeatSome();
    for (const stream of Object.keys(STREAMS) as StreamName[]) {
      this.#ledger.checkTiling(stream, (await this.#client.getStream(stream)).head);
    }
    await new CheckSearch(this.#ledger, this.#client, this.#dice).everything();
    return { ...settled, ...(await this.#progress()) };
  }

  /** Every record of the append stream from 0 to the head. Returns where each batch is. */
  async #events(): Promise<Map<string, Ranges>> {
    const { head } = await this.#client.getStream('events');
    const records: ApiRecord[] = [];
    for (const [partition, last] of head.entries()) {
      for (let from = 0; from <= last; ) {
        const page = await this.#client.read('events', { partition, from, limit: PAGE });
        const gap = page.records.findIndex((record, index) => record.offset !== from + index || record.partition !== partition);
        if (gap >= 0 || page.records.length === 0) {
          this.#ledger.violated(
            'lost',
            `events/${partition}: a read from ${from} of ${last} lacks offset ${from + Math.max(gap, 0)}`,
          );
          break;
        }
        records.push(...page.records);
        from = page.next;
      }
    }
    const byBatch = Map.groupBy(records, record => record.headers.batch);
    for (const id of byBatch.keys()) if (!this.#ledger.get(id)) this.#ledger.violated('wrong', `nobody sent batch ${id}`);
    for (const batch of this.#ledger.batches) if (batch.stream === 'events') this.#checkBatch(batch, byBatch.get(batch.id) ?? []);
    return new Map([...byBatch].map(([id, found]) => [id, rangesOf(found)]));
  }

  #checkBatch(batch: Batch, found: readonly ApiRecord[]): void {
    const { id, outcome, records, ranges } = batch;
    if (found.length === 0) {
      if (outcome === 'acknowledged') this.#ledger.violated('lost', `${id} was acknowledged at ${JSON.stringify(ranges)}`);
      return;
    }
    const where = JSON.stringify(rangesOf(found));
    if (outcome === 'refused') this.#ledger.violated('duplicate', `${id} was refused, and is at ${where}`);
    if (outcome === 'acknowledged' && !sameRanges(ranges, rangesOf(found))) {
      this.#ledger.violated('wrong', `${id} was acknowledged at ${JSON.stringify(ranges)}, and is at ${where}`);
    }
    const sent = records.map(record => JSON.stringify([record.headers.index, record.key, record.value])).sort();
    const read = found.map(record => JSON.stringify([record.headers.index, record.key, record.value])).sort();
    if (sent.join() === read.join()) return;
    const kind = read.length > new Set(read).size ? 'duplicate' : read.length < sent.length ? 'lost' : 'wrong';
    this.#ledger.violated(kind, `${id} has ${sent.length} records; at ${where} are ${read.join()}`);
  }

  /** Sends again what is unknown. It must turn out to be where it was found, or above everything that was there. */
  async #settleUnknown(found: ReadonlyMap<string, Ranges>): Promise<Pick<Findings, 'unknownPresent' | 'unknownAbsent'>> {
    const counts = { unknownPresent: 0, unknownAbsent: 0 };
    for (const stream of Object.keys(STREAMS) as StreamName[]) {
      const { head } = await this.#client.getStream(stream);
      for (const batch of this.#ledger.of(stream, 'unknown')) {
        if ((await send(this.#ledger, this.#client, batch)) !== 'acknowledged') {
          this.#ledger.violated('wrong', `${batch.id} could not be sent again`);
          continue;
        }
        const isAbove = batch.ranges.every(({ partition, first }) => first > head[partition]);
        counts[isAbove ? 'unknownAbsent' : 'unknownPresent']++;
        const before = found.get(batch.id);
        if (stream !== 'events' || (before === undefined ? isAbove : sameRanges(before, batch.ranges))) continue;
        const places = `was at ${JSON.stringify(before ?? null)}, a retry says ${JSON.stringify(batch.ranges)}`;
        this.#ledger.violated('duplicate', `${batch.id} ${places}`);
      }
    }
    return counts;
  }

  async #repeatSome(): Promise<void> {
    const acknowledged = this.#ledger.batches.filter(batch => batch.outcome === 'acknowledged');
    for (const batch of this.#dice.subset(acknowledged.slice(-1000), REPEATED)) await send(this.#ledger, this.#client, batch);
  }

  async #progress(): Promise<Pick<Findings, 'tableStates' | 'logFloor'>> {
    let tableStates = 0;
    for (const stream of Object.keys(STREAMS)) tableStates += (await this.#client.getTable(stream)).state?.n ?? 0;
    const { log } = await this.#client.collect({ dryRun: true });
    return { tableStates, logFloor: log[0]?.floor ?? 1 };
  }
}

/** Offsets of one batch, partition by partition. A gap shows as a range of its own. */
function rangesOf(records: readonly ApiRecord[]): Ranges {
  const ranges: Ranges = [];
  for (const { partition, offset } of [...records].sort((a, b) => a.partition - b.partition || a.offset - b.offset)) {
    const last = ranges.at(-1);
    if (last?.partition === partition && last.last + 1 === offset) last.last = offset;
    else ranges.push({ partition, first: offset, last: offset });
  }
  return ranges;
}
