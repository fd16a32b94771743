import { seededRandom, systemClock, TailwaterError } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import type { StreamSettings } from '../../src/index.ts';
import { Dice } from '../simulation/dice.ts';
import type { Batch, Ledger, SentRecord, StreamName } from './ledger.ts';

const SEARCHABLE = { search: { fields: ['text'] }, embed: { fields: ['text'], dimensions: 32 }, history: 'PT0.001S' };

export const STREAMS: Record<StreamName, StreamSettings> = {
  events: { kind: 'append', partitions: 3, ...SEARCHABLE },
  rows: { kind: 'upsert', partitions: 2, ...SEARCHABLE },
};

const WRITERS = 4;
const ROW_KEYS = 50;
const MAX_RECORDS = 5;
const MAX_THINKING_MS = 20;
const AFTER_FAILURE_MS = 30;
const DELETIONS = 0.2;
/** Sent twice at the same time, as impatient clients do. */
const DOUBLED = 0.1;
const WORDS = ['harbour', 'tide', 'storm', 'anchor', 'vessel', 'lantern', 'compass'];

/** Nothing of the request was written (base/error-kinds.ts). */
const REFUSED = ['TW_BUSY', 'TW_TAIL_FULL', 'TW_CLOSED', 'TW_UNREACHABLE', 'TW_STORAGE_UNAVAILABLE'];
const UNKNOWN = ['TW_OUTCOME_UNKNOWN', 'TW_DEADLINE'];

/** Clients that write until they are told to stop, and note in the ledger what they were told. */
export class Load {
  readonly #ledger: Ledger;
  readonly #client: TailwaterClient;
  readonly #dice: Dice;
  readonly #prefix: string;
  readonly #writers: Promise<void>[];
  #made = 0;
  #stopping = false;

  /** `name`: unique within the ledger. */
  constructor(ledger: Ledger, url: string, name: string, seed: number) {
    this.#ledger = ledger;
    this.#client = new TailwaterClient({ url, maxAttempts: 1, timeoutMs: 20_000 });
    this.#dice = new Dice(seededRandom(seed));
    this.#prefix = name;
    this.#writers = Array.from({ length: WRITERS }, () => this.#write());
  }

  /** Writers make no further batches; what is on its way comes to its end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#writers);
  }

  async #write(): Promise<void> {
    while (!this.#stopping) {
      const batch = this.#ledger.add(this.#batch());
      const times = this.#dice.happens(DOUBLED) ? 2 : 1;
      const fates = await Promise.all(Array.from({ length: times }, () => send(this.#ledger, this.#client, batch)));
      if (fates.every(fate => fate === 'refused')) batch.outcome = 'refused';
      await systemClock.sleep(batch.outcome === 'acknowledged' ? this.#dice.below(MAX_THINKING_MS) : AFTER_FAILURE_MS);
    }
  }

  #batch(): Omit<Batch, 'outcome' | 'ranges'> {
    const id = `${this.#prefix}n${++this.#made}`;
    const stream = this.#dice.pick(['events', 'rows'] as const);
    const spread = this.#dice.between(1, 3);
    const rowKey = `k${this.#dice.below(ROW_KEYS)}`;
    const records = Array.from({ length: this.#dice.between(1, MAX_RECORDS) }, (_, index): SentRecord => {
      const key = stream === 'rows' ? rowKey : `${id}-${index % spread}`;
      const deletes = stream === 'rows' && this.#dice.happens(DELETIONS);
      const text = `${id} ${this.#dice.pick(WORDS)} ${this.#dice.pick(WORDS)}`;
      return { key, value: deletes ? null : { batch: id, index, text }, headers: { batch: id, index: String(index) } };
    });
    return { id, stream, idempotencyKey: `key-${id}`, records };
  }
}

/** Sends a batch once; an answer goes into the ledger. */
export async function send(ledger: Ledger, client: TailwaterClient, batch: Batch): Promise<Batch['outcome']> {
  try {
    const { stream, records, idempotencyKey } = batch;
    ledger.acknowledge(batch, await client.append(stream, records, { idempotencyKey }));
    return 'acknowledged';
  } catch (error) {
    if (!(error instanceof TailwaterError)) throw error;
    if (REFUSED.includes(error.code)) return 'refused';
    if (!UNKNOWN.includes(error.code)) ledger.violated('wrong', `${batch.id} was answered ${error.code}: ${error.message}`);
    return 'unknown';
  }
}
