import { AdditiveHash, hashOfRange, isTailwaterError, TailwaterError } from '../../base/index.ts';
import { recordAt, type Segment, type SegmentBatch, type StreamDefinition, type StreamRecord } from '../../streams/index.ts';
import type { TableWork } from './settings.ts';

/** Up to where the log is in the table. */
export interface LogPosition {
  logSeq: number;
  logTimeMs: number;
  /** Per partition, the highest offset; -1: none. */
  watermark: readonly number[];
}

/** What one table commit moves: every record of the stream in the segments after `from`, up to `to`. */
export interface StepInput {
  from: LogPosition;
  to: LogPosition;
  /** In log order. */
  records: StreamRecord[];
  /** Additive hash of their offsets. */
  offsetsHash: AdditiveHash;
}

/**
 * Reads whole segments of (from.logSeq, throughSegment] until the step is full. Throws TW_COMPACTION_FAILED when the log ends early,
 * TW_HISTORY_EXPIRED when the floor passed what was read meanwhile, TW_DATA_DAMAGED when offsets are not dense: a gap would be lost
 * rows, an overlap doubled ones.
 */
export async function readStep(work: TableWork, from: LogPosition, throughSegment: number): Promise<StepInput> {
  const reading = new StepReading(work.definition, from);
  let damage: unknown = null;
  try {
    await readSegments(work, reading, throughSegment);
  } catch (error) {
    if (!isTailwaterError(error, 'TW_DATA_DAMAGED')) throw error;
    damage = error;
  }
  // Below the floor a stalled writer may have put anything (J4).
  const floor = await work.log.floor();
  if (floor > from.logSeq + 1) {
    throw new TailwaterError('TW_HISTORY_EXPIRED', { detail: `The log now starts at ${floor}.`, data: { floor } });
  }
  if (damage !== null) throw damage;
  return reading.finish(throughSegment);
}

async function readSegments(work: TableWork, reading: StepReading, throughSegment: number): Promise<void> {
  const { maxStepRows, maxStepBytes } = work.limits;
  for await (const segment of work.log.range(reading.nextSegment, throughSegment)) {
    reading.add(segment);
    if (reading.records.length >= maxStepRows || reading.bytes >= maxStepBytes) return;
  }
}

class StepReading {
  readonly records: StreamRecord[] = [];
  bytes = 0;
  readonly #definition: StreamDefinition;
  readonly #from: LogPosition;
  readonly #watermark: number[];
  readonly #offsetsHash = new AdditiveHash();
  readonly #vectorBytes: number;
  #logSeq: number;
  #logTimeMs: number;

  constructor(definition: StreamDefinition, from: LogPosition) {
    this.#definition = definition;
    this.#from = from;
    this.#watermark = Array.from({ length: definition.partitions }, (_, partition) => from.watermark[partition] ?? -1);
    this.#logSeq = from.logSeq;
    this.#logTimeMs = from.logTimeMs;
    this.#vectorBytes = (definition.embed?.dimensions ?? 0) * 4;
  }

  get nextSegment(): number {
    return this.#logSeq + 1;
  }

  add(segment: Segment): void {
    if (segment.seq !== this.#logSeq + 1) {
      throw new TailwaterError('TW_COMPACTION_FAILED', {
        detail: `Expected segment ${this.#logSeq + 1} of the log, found ${segment.seq}.`,
      });
    }
    const batches = segment.batches.filter(batch => batch.incarnation === this.#definition.incarnation);
    for (const batch of batches.sort((a, b) => a.firstIndex - b.firstIndex)) this.#addBatch(batch, segment);
    this.#logSeq = segment.seq;
    this.#logTimeMs = segment.commitTimeMs;
  }

  finish(throughSegment: number): StepInput {
    if (this.#logSeq === this.#from.logSeq && throughSegment > this.#from.logSeq) {
      throw new TailwaterError('TW_COMPACTION_FAILED', { detail: `Segment ${this.#logSeq + 1} of the log is not readable.` });
    }
    const to = { logSeq: this.#logSeq, logTimeMs: this.#logTimeMs, watermark: this.#watermark };
    return { from: this.#from, to, records: this.records, offsetsHash: this.#offsetsHash };
  }

  #addBatch(part: SegmentBatch, segment: Segment): void {
    const { partition, batch } = part;
    const expected = (this.#watermark[partition] ?? -1) + 1;
    if (batch.baseOffset !== expected) {
      throw new TailwaterError('TW_DATA_DAMAGED', {
        detail: `Partition ${partition} continues with offset ${batch.baseOffset} in segment ${segment.seq}, not with ${expected}.`,
      });
    }
    const last = batch.baseOffset + batch.count - 1;
    for (let index = 0; index < batch.count; index++) this.records.push(recordAt(part, index, segment));
    this.bytes += batch.bytes.length + batch.count * this.#vectorBytes;
    this.#offsetsHash.addHash(hashOfRange(partition, batch.baseOffset, last));
    while (this.#watermark.length <= partition) this.#watermark.push(-1);
    this.#watermark[partition] = last;
  }
}
