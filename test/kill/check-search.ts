import type { TailwaterClient } from '../../src/client.ts';
import type { Freshness, QueryAnswer, QueryHit } from '../../src/index.ts';
import type { Dice } from '../simulation/dice.ts';
import type { Batch, Ledger, SentRecord } from './ledger.ts';

const SEARCHED_BATCHES = 5;
const ASKED_KEYS = 5;
const MAX_HITS = 1000;

/** Holds rows and searches of both streams against a ledger in which nothing is unknown any more. */
export class CheckSearch {
  readonly #ledger: Ledger;
  readonly #client: TailwaterClient;
  readonly #dice: Dice;

  constructor(ledger: Ledger, client: TailwaterClient, dice: Dice) {
    this.#ledger = ledger;
    this.#client = client;
    this.#dice = dice;
  }

  async everything(): Promise<void> {
    const newest = this.#ledger.newestByKey();
    await this.#allRows(newest);
    for (const key of this.#dice.subset([...newest.keys()], ASKED_KEYS)) await this.#row(key, newest.get(key)!);
    const events = this.#ledger.of('events', 'acknowledged');
    for (const batch of this.#dice.subset(events.slice(-2000), SEARCHED_BATCHES)) await this.#search(batch);
  }

  /** The rows of the upsert stream are the newest records that delete nothing. */
  async #allRows(newest: ReadonlyMap<string, SentRecord>): Promise<void> {
    const { hits, freshness } = await this.#client.query('rows', { mode: 'filter', filter: {}, limit: MAX_HITS });
    this.#checkComplete('rows', 'filter', freshness);
    const expected = [...newest.values()].filter(({ value }) => value !== null).map(textOf);
    this.#compare(
      'the rows of rows',
      expected,
      hits.map(hit => JSON.stringify([hit.key, hit.value])),
    );
    const { rows, head } = await this.#client.getStream('rows');
    if (rows !== expected.length) this.#ledger.violated('wrong', `rows counts ${rows} rows, and has ${expected.length}`);
    if (freshness.head.some((offset, partition) => offset < head[partition])) {
      this.#ledger.violated('wrong', `a query of rows saw ${freshness.head}, below ${head}`);
    }
  }

  async #row(key: string, expected: SentRecord): Promise<void> {
    const found = await this.#client.getRow('rows', key).then(
      ({ record }) => JSON.stringify([record.key, record.value]),
      error => (error.code === 'TW_ROW_NOT_FOUND' ? 'deleted' : String(error)),
    );
    const right = expected.value === null ? 'deleted' : textOf(expected);
    if (found !== right) this.#ledger.violated('wrong', `the row ${key} is ${found}, not ${right}`);
  }

  /** The records of a batch are the ones with its id in their text, whichever way they are looked for. */
  async #search({ id, records }: Batch): Promise<void> {
    const expected = records.map(textOf);
    const asText = (answer: QueryAnswer): string[] => answer.hits.map(hit => JSON.stringify([hit.key, hit.value]));
    const text = await this.#client.query('events', { mode: 'text', text: id, limit: MAX_HITS });
    this.#checkComplete('events', 'text', text.freshness);
    this.#compare(`a text search for ${id}`, expected, asText(text));
    const hybrid = await this.#client.query('events', { mode: 'hybrid', text: id, limit: records.length * 4 });
    this.#checkComplete('events', 'hybrid', hybrid.freshness);
    const isOfBatch = (hit: QueryHit): boolean => hit.value.batch === id;
    this.#compare(`a hybrid search for ${id}`, expected, asText({ ...hybrid, hits: hybrid.hits.filter(isOfBatch) }));
  }

  #compare(what: string, expected: readonly string[], found: readonly string[]): void {
    const lacking = expected.filter(text => !found.includes(text));
    if (lacking.length > 0) this.#ledger.violated('lost', `${what} lacks ${lacking.slice(0, 3).join()}`);
    if (found.length > new Set(found).size) this.#ledger.violated('duplicate', `${what} has a row twice: ${found.join()}`);
    const foreign = found.filter(text => !expected.includes(text));
    if (foreign.length > 0) this.#ledger.violated('wrong', `${what} has ${foreign.slice(0, 3).join()}`);
  }

  #checkComplete(stream: string, mode: string, { complete, skipped }: Freshness): void {
    if (complete && skipped.length === 0) return;
    this.#ledger.violated('wrong', `a ${mode} query of ${stream} says complete ${complete}, skipped ${JSON.stringify(skipped)}`);
  }
}

function textOf({ key, value }: SentRecord): string {
  return JSON.stringify([key, value]);
}
