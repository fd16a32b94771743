import { createHash } from 'node:crypto';
import { type Clock, isJsonObject, type JsonValue, TailwaterError, utf8 } from '../base/index.ts';
import type {
  AppendPart,
  AppendReceipt,
  AppendRequest,
  Catalog,
  LogShard,
  Position,
  RecordSlab,
  StreamDefinition,
  StreamSettings,
} from '../streams/index.ts';
import type { RecordBatchInput } from './records/batch-builder.ts';
import { encodeEnvelopes, encodeNdjson } from './records/encode-ndjson.ts';
import { encodeRecords } from './records/encode-records.ts';
import { type Envelope, RECORD_LIMITS, type RecordLimits, type Rejection, VALUE_TEXT } from './records/input.ts';
import { RecordRules } from './records/record-rules.ts';

/** The internal upsert stream in which file ingestion keeps its progress, by source. */
export const SOURCES_STREAM = '_ingest';
const SOURCES_SETTINGS: StreamSettings = { kind: 'upsert' };
/** The internal upsert stream of how far consumers have worked through streams; what is superseded is of no use to anyone. */
const POSITIONS_STREAM = '_steps';
const POSITIONS_SETTINGS: StreamSettings = { kind: 'upsert', history: 'PT1H' };
const MAX_CACHED_RULES = 1024;
const MAX_KEPT_REJECTIONS = 100;

/** How far a source has been ingested; kept in the same segment as its rows, so that running an ingestion twice adds nothing twice. */
export interface SourceProgress {
  source: string;
  contentHash: string;
  /** Records of the source consumed after this batch. */
  position: number;
  done: boolean;
}

export type AppendInput = { records: readonly unknown[] } | { ndjson: Uint8Array; envelope?: boolean };

export interface AppendResult {
  accepted: number;
  /** In the order of the request. */
  rejected: Rejection[];
  /** One entry per partition and segment. */
  partitions: { partition: number; first: number; last: number }[];
  position: Position;
}

/** One stream's share of what is written as a whole. */
export interface AtomicWrite {
  definition: StreamDefinition;
  records: readonly Envelope[];
}

export interface AtomicReceipt {
  /** False: these records are written now. True: an earlier append with the idempotency key was answered with `answer`. */
  duplicate: boolean;
  answer: JsonValue;
  accepted: number;
  partitions: AppendResult['partitions'];
  position: Position;
}

export interface AppenderOptions {
  catalog: Catalog;
  clock: Clock;
  limits?: Partial<RecordLimits>;
}

/** The write path: validate, admit, encode, append. Bad records go to the dead-letter stream, in the same segment as the good ones. */
export class Appender {
  readonly #catalog: Catalog;
  readonly #clock: Clock;
  readonly #limits: RecordLimits;
  readonly #rules = new Map<string, RecordRules>();
  #sticky = 0;

  constructor(options: AppenderOptions) {
    this.#catalog = options.catalog;
    this.#clock = options.clock;
    this.#limits = { ...RECORD_LIMITS, ...options.limits };
  }

  /**
   * Resolves when everything accepted is durable. With `idempotencyKey`, a retry of the same input returns the first answer
   * (TW_IDEMPOTENCY_MISMATCH for another input). With `source`, all of it must fit one segment (TW_BODY_TOO_LARGE). Throws what LogShard.append throws.
   */
  async append(
    definition: StreamDefinition,
    input: AppendInput,
    options: { idempotencyKey?: string; source?: SourceProgress } = {},
  ): Promise<AppendResult> {
    const batches = this.#encode(definition, input);
    const shard = this.#catalog.shardOf(definition);
    if (options.source && batches.length > 1) {
      throw new TailwaterError('TW_BODY_TOO_LARGE', {
        detail: 'A batch with ingestion progress must fit one segment; send smaller batches.',
      });
    }
    const extra = options.source ? [await this.#progressPart(options.source)] : [];
    if (batches.length === 0 && extra.length > 0) batches.push({ parts: [], accepted: 0, rejected: [] });
    const fingerprint = options.idempotencyKey === undefined ? '' : fingerprintOf(input);
    const result: AppendResult = {
      accepted: 0,
      rejected: [],
      partitions: [],
      position: this.#positionOf(definition, shard, shard.seq),
    };
    for (const [index, batch] of batches.entries()) {
      const parts = [...batch.parts, ...(await this.#letterParts(definition, batch)), ...extra];
      const request: AppendRequest = { parts };
      if (options.idempotencyKey !== undefined) {
        request.idempotency = { key: subKey(options.idempotencyKey, index), fingerprint, answer: keptAnswer(batch) };
      }
      const receipt = await shard.append(request);
      collect(result, definition, receipt, batch);
      result.position = this.#positionOf(definition, shard, receipt.seq);
    }
    return result;
  }

  /**
   * All records of all streams in one segment, and only if no other append with the guard's name came after it (TW_VERSION_MISMATCH); or none:
   * TW_BODY_TOO_LARGE when they need more than one, and whatever is wrong with the first that is refused. No dead letters. `partitions` are of the
   * first stream; without any, the idempotency key is only looked up.
   */
  async appendWhole(
    writes: readonly AtomicWrite[],
    { guard, idempotency }: { guard: NonNullable<AppendRequest['guard']>; idempotency?: AppendRequest['idempotency'] },
  ): Promise<AtomicReceipt> {
    const shards = writes.map(({ definition }) => this.#catalog.shardOf(definition));
    const shard = shards[0] ?? this.#catalog.shardOf(await this.positions());
    const stranger = shards.findIndex(other => other !== shard);
    if (stranger >= 0) {
      throw new TailwaterError('TW_BAD_REQUEST', {
        detail: `Streams "${writes[0].definition.name}" and "${writes[stranger].definition.name}" are on different shards of the log: only colocated streams are written together.`,
      });
    }
    const batches = writes.map(write => this.#wholeBatch(write));
    const parts = batches.flatMap(batch => batch.parts);
    const receipt = await shard.append({ parts, guard, ...(idempotency === undefined ? {} : { idempotency }) });
    const heads = [...new Set(writes.map(({ definition }) => definition))].map(each =>
      this.#positionOf(each, shard, receipt.seq),
    );
    return {
      duplicate: receipt.duplicate,
      answer: receipt.answer,
      accepted: batches.reduce((sum, batch) => sum + batch.accepted, 0),
      partitions: receipt.parts.filter(({ incarnation }) => incarnation === writes[0]?.definition.incarnation).map(placeOf),
      position: { shards: [{ shard: shard.shard, seq: receipt.seq }], streams: heads.flatMap(({ streams }) => streams) },
    };
  }

  /** The stream of positions of consumers, made at the first use. */
  positions(): Promise<StreamDefinition> {
    return this.#internal(POSITIONS_STREAM, POSITIONS_SETTINGS);
  }

  #wholeBatch({ definition, records }: AtomicWrite): RecordBatchInput {
    const batches = this.#encode(definition, { records });
    const refused = batches.flatMap(batch => batch.rejected)[0];
    if (refused !== undefined) {
      const detail = `Record ${refused.index} for stream "${definition.name}": ${refused.message}`;
      throw new TailwaterError(refused.code, { detail });
    }
    if (batches.length === 1) return batches[0];
    throw new TailwaterError('TW_BODY_TOO_LARGE', { detail: `${records.length} records do not fit one segment of the log.` });
  }

  #encode(definition: StreamDefinition, input: AppendInput): RecordBatchInput[] {
    const rules = this.#rulesOf(definition);
    const nowMs = this.#clock.nowMs();
    const sticky = this.#sticky++;
    if ('records' in input) return encodeRecords(rules, input.records, nowMs, sticky);
    return input.envelope
      ? encodeEnvelopes(rules, input.ndjson, nowMs, sticky)
      : encodeNdjson(rules, input.ndjson, nowMs, sticky);
  }

  #rulesOf(definition: StreamDefinition): RecordRules {
    let rules = this.#rules.get(definition.incarnation);
    if (!rules) {
      rules = new RecordRules(definition, this.#limits);
      if (this.#rules.size >= MAX_CACHED_RULES) this.#rules.delete(this.#rules.keys().next().value!);
      this.#rules.set(definition.incarnation, rules);
    }
    return rules;
  }

  async #letterParts(definition: StreamDefinition, batch: RecordBatchInput): Promise<AppendPart[]> {
    if (batch.rejected.length === 0) return [];
    const letters = await this.#internal(`${definition.name}.dlq`, { kind: 'append' });
    const at = new Date(this.#clock.nowMs()).toISOString();
    const values = batch.rejected.map(letter => ({ stream: definition.name, ...letter, at }));
    return [{ incarnation: letters.incarnation, partition: 0, records: this.#slab(values, null) }];
  }

  async #progressPart(progress: SourceProgress): Promise<AppendPart> {
    const sources = await this.#internal(SOURCES_STREAM, SOURCES_SETTINGS);
    return { incarnation: sources.incarnation, partition: 0, records: this.#slab([{ ...progress }], progress.source) };
  }

  async #internal(name: string, settings: StreamSettings): Promise<StreamDefinition> {
    const known = this.#catalog.get(name);
    if (known !== undefined && this.#catalog.isSettled(known)) return known;
    return (await this.#catalog.create(name, settings, { internal: true })).definition;
  }

  #slab(values: JsonValue[], key: string | null): RecordSlab {
    const texts = values.map(value => utf8(JSON.stringify(value)));
    const keyBytes = key === null ? new Uint8Array(0) : utf8(key);
    const bytes = Buffer.concat([keyBytes, ...texts]);
    const valueStart = new Int32Array(texts.length);
    const valueEnd = new Int32Array(texts.length);
    let at = keyBytes.length;
    for (const [index, text] of texts.entries()) {
      valueStart[index] = at;
      at += text.length;
      valueEnd[index] = at;
    }
    return {
      count: texts.length,
      bytes,
      keyStart: new Int32Array(texts.length).fill(key === null ? -1 : 0),
      keyEnd: new Int32Array(texts.length).fill(key === null ? -1 : keyBytes.length),
      valueStart,
      valueEnd,
      timesMs: new Float64Array(texts.length).fill(this.#clock.nowMs()),
    };
  }

  #positionOf({ incarnation }: StreamDefinition, shard: LogShard, seq: number): Position {
    const heads = (shard.nextOffsets(incarnation) ?? []).map(next => next - 1);
    return { shards: [{ shard: shard.shard, seq }], streams: [{ incarnation, tableState: null, heads }] };
  }
}

function placeOf({ partition, first, last }: AppendReceipt['parts'][number]): AppendResult['partitions'][number] {
  return { partition, first, last };
}

function collect(result: AppendResult, { incarnation }: StreamDefinition, receipt: AppendReceipt, batch: RecordBatchInput): void {
  for (const part of receipt.parts) {
    if (part.incarnation === incarnation)
      result.partitions.push({ partition: part.partition, first: part.first, last: part.last });
  }
  const kept = receipt.duplicate ? (receipt.answer as unknown as { accepted: number; rejected: Rejection[] } | null) : null;
  result.accepted += kept?.accepted ?? batch.accepted;
  result.rejected.push(...(kept?.rejected ?? batch.rejected.map(toRejection)));
}

function keptAnswer(batch: RecordBatchInput): JsonValue {
  const rejected = batch.rejected.slice(0, MAX_KEPT_REJECTIONS).map(letter => ({ ...toRejection(letter) }));
  return { accepted: batch.accepted, rejected };
}

function toRejection({ index, code, message }: Rejection): Rejection {
  return { index, code, message };
}

/** An input that needs several segments is several appends; each is its own promise to a retry. */
function subKey(key: string, index: number): string {
  return index === 0 ? key : `${key}#${index}`;
}

function fingerprintOf(input: AppendInput): string {
  const hash = createHash('sha256');
  if ('ndjson' in input) hash.update(input.envelope ? 'e' : 'v').update(input.ndjson);
  else for (const record of input.records) hash.update(`${recordText(record)}\n`);
  return hash.digest('base64url');
}

/** With the digits that were sent: two bodies that differ only beyond 2^53 are two bodies. What cannot be written as JSON is rejected anyway. */
function recordText(record: unknown): string {
  try {
    const text = isJsonObject(record) ? (record as Envelope)[VALUE_TEXT] : undefined;
    return `${JSON.stringify(record)}${text ?? ''}`;
  } catch (error) {
    return String(error);
  }
}
