import { type Clock, TailwaterError } from '../../base/index.ts';
import type { Pin, Pins } from '../../journal/index.ts';
import type { ArrowField } from '../../lakehouse/index.ts';
import { parseFilter, type StreamDefinition } from '../../streams/index.ts';
import type { LiveStreams } from '../live-streams.ts';
import { freshnessOf, headsOf, type Pinned, tokenOf, watermarkOf } from '../pinned.ts';
import { DEFAULT_DEADLINE_MS, type Pinner } from '../pinner.ts';
import type { Freshness } from '../snapshot-types.ts';
import { onlyAsked, type VectorSource, withDerived } from './derived-columns.ts';
import { LEASE_MS, leasedBatches } from './leased-batches.ts';
import { mergedScan } from './merged-scan.ts';
import { defaultColumns, jsonColumnsOf, resolveColumns, ScanSchemas } from './scan-schema.ts';
import type { ScanBatch, ScanPlan, ScanRequest } from './scan-types.ts';

const MAX_SHARDS = 65_536;

export interface ScannerOptions {
  streams: LiveStreams;
  pinner: Pinner;
  pins: Pins;
  /** Of fresh rows. */
  embeddings: VectorSource;
  clock: Clock;
}

/** A scan that has begun: the instant is pinned, rows are read as they are asked for. Iterating is what releases the pin. */
export interface OpenScan {
  fields: ArrowField[];
  /** Text columns that hold JSON. */
  jsonColumns: ReadonlySet<string>;
  freshness: Freshness;
  token: string;
  batches: AsyncIterable<ScanBatch>;
}

/** Reads all rows of a stream at one instant, tail and table merged, by column and in the order of the log. */
export class Scanner {
  readonly #options: ScannerOptions;
  readonly schemas: ScanSchemas;

  constructor(options: ScannerOptions) {
    this.#options = options;
    this.schemas = new ScanSchemas(options.clock);
  }

  /** `limit`: rows at most. Throws TW_BAD_REQUEST, TW_UNKNOWN_FIELD, TW_HISTORY_EXPIRED, TW_NOT_YET_VISIBLE; iterating TW_SNAPSHOT_EXPIRED with where to resume. */
  async scan(
    definition: StreamDefinition,
    request: ScanRequest,
    signal?: AbortSignal,
    limit = Number.POSITIVE_INFINITY,
  ): Promise<OpenScan> {
    const { clock, pinner } = this.#options;
    const checked = checkedRequest(request);
    const pinned = await pinner.pin(definition, request.consistency, clock.nowMs() + DEFAULT_DEADLINE_MS);
    const schema = await this.schemas.of(pinned);
    const derived = withDerived(schema, definition);
    const { names, fields } = resolveColumns(derived, request.columns ?? defaultColumns(schema));
    const plan: ScanPlan = {
      ...checked,
      schema: onlyAsked(derived, names),
      columns: names,
      fields,
      conditions: [],
      ordered: true,
      limit,
    };
    const token = tokenOf(pinned);
    const options = { clock, token, afterSeq: plan.afterSeq, ...(signal === undefined ? {} : { signal }) };
    const missing = plan.schema.dimensions === null ? [] : await this.#missingVectors(pinned, plan);
    const freshness = freshnessOf(pinned, clock.nowMs(), [...(plan.tail ? [] : skippedTail(pinned)), ...missing]);
    return { fields, jsonColumns: jsonColumnsOf(schema), freshness, token, batches: this.#leased(pinned, plan, options) };
  }

  async #missingVectors(pinned: Pinned, { tail }: ScanPlan): Promise<Freshness['skipped']> {
    await this.#options.embeddings.caughtUp(pinned.definition);
    const missing = (pinned.table?.state.nullVectors ?? 0) + (tail ? pinned.tail.missingVectors() : 0);
    return missing === 0 ? [] : [{ leg: 'vector', reason: `${missing} rows have no embedding yet: theirs is null.` }];
  }

  /** The pin comes with the first batch, so that a scan nobody reads leaves none. */
  async *#leased(pinned: Pinned, plan: ScanPlan, options: Parameters<typeof leasedBatches>[2]): AsyncGenerator<ScanBatch> {
    const batches = mergedScan(pinned, plan, options.clock, this.#options.embeddings);
    yield* leasedBatches(batches, await this.pin(pinned), options);
  }

  /** Keeps the table state from the collector (J9), also when the tag that kept it is deleted. None when there is no table. */
  async pin(pinned: Pinned): Promise<Pin[]> {
    if (pinned.table === null) return [];
    const { streams, pins } = this.#options;
    return [await streams.require(pinned.definition).pin(pins, pinned.table.state, LEASE_MS)];
  }
}

function skippedTail(pinned: Pinned): Freshness['skipped'] {
  const watermark = watermarkOf(pinned);
  const isBehind = headsOf(pinned).some((head, partition) => head > watermark[partition]);
  return isBehind ? [{ leg: 'tail', reason: 'The request asked for the table alone.' }] : [];
}

function checkedRequest({
  filter,
  shard,
  afterSeq = -1,
  tail = true,
}: ScanRequest): Pick<ScanPlan, 'filter' | 'shard' | 'afterSeq' | 'tail'> {
  if (!Number.isSafeInteger(afterSeq) || afterSeq < -1) throw bad('afterSeq must be an integer, the _seq of the last row read');
  if (shard !== undefined) checkShard(shard.index, shard.count);
  return { filter: filter === undefined ? null : parseFilter(filter), shard: shard ?? null, afterSeq, tail };
}

function checkShard(index: number, count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > MAX_SHARDS) throw bad(`a scan has 1 to ${MAX_SHARDS} shards`);
  if (!Number.isInteger(index) || index < 0 || index >= count) throw bad(`of ${count} shards the index is 0 to ${count - 1}`);
}

function bad(why: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail: `The scan cannot be: ${why}.` });
}
