import { TailwaterError } from '../../base/index.ts';
import type { StreamDefinition } from '../definition.ts';
import type { StreamRecord } from '../records.ts';
import type { Segment, SegmentBatch } from '../segment-types.ts';
import { embedText } from '../text/record-text.ts';
import { TailChunk } from './chunk.ts';
import { chunkOf, chunksIn, firstOrdinalAbove, headsBefore, raiseHead, recordsBefore } from './cut.ts';
import { indexTexts, readValue } from './index-texts.ts';
import { findKey, KeyGeneration } from './key-index.ts';
import { CHUNK_ROWS, ROW } from './row-flags.ts';
import { recordOf, requireLength, TailSnapshot } from './tail-snapshot.ts';

/** Where a cut begins, remembered because it changes only when the table moves. */
interface Beginning {
  afterSegment: number;
  ordinal: number;
  heads: number[];
}

/**
 * The records of a stream that are not in its table yet, in log order, searchable as soon as they are appended. Synchronous and in memory; it
 * is told vectors and watermarks by its caller. Rows live in chunks of up to 8,192, which are dropped as a whole.
 */
export class StreamTail {
  readonly definition: StreamDefinition;
  /** Consecutive chunk numbers, oldest first. */
  #chunks: TailChunk[] = [];
  #generations: KeyGeneration[] = [];
  readonly #heads: number[];
  #nextChunk = 0;
  #records = 0;
  /** Records ever at or below `#trimmedThrough`. */
  #recordsTrimmed = 0;
  #bytes = 0;
  #lastSegment = 0;
  #trimmedThrough = 0;
  /** The newest segment of which records are gone from memory. */
  #droppedThrough = 0;
  #beginning: Beginning | null = null;

  constructor(definition: StreamDefinition) {
    this.definition = definition;
    this.#heads = new Array<number>(definition.partitions).fill(-1);
  }

  /** Records above the last trim. */
  get rows(): number {
    return this.#records - this.#recordsTrimmed;
  }

  /** Memory held, estimated; falls when chunks are dropped. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The oldest segment with records above the last trim; null when there are none. */
  get firstSegment(): number | null {
    if (this.rows === 0) return null;
    const chunk = this.#chunks.find(candidate => candidate.lastSegment > this.#trimmedThrough)!;
    return chunk.pieceOf(chunk.firstRowAbove(this.#trimmedThrough)).segment.seq;
  }

  /** The last segment appended, whether or not it had records of this stream; 0: none. */
  get lastSegment(): number {
    return this.#lastSegment;
  }

  stats(): Record<string, number> {
    return {
      rows: this.rows,
      bytes: this.#bytes,
      chunks: this.#chunks.length,
      keys: this.#generations.reduce((sum, generation) => sum + generation.keys, 0),
      missingVectors: this.#chunks.reduce((sum, chunk) => sum + chunk.live.missing, 0),
    };
  }

  /** Takes this stream's records of a committed segment. Segments come in order; one at or below the last is ignored. Returns records added. */
  append(segment: Segment): number {
    if (segment.seq <= this.#lastSegment) return 0;
    this.#lastSegment = segment.seq;
    const batches = segment.batches.filter(batch => batch.incarnation === this.definition.incarnation);
    if (batches.length === 0) return 0;
    if (segment.seq <= this.#trimmedThrough) {
      this.#droppedThrough = segment.seq;
      return 0;
    }
    const before = this.#records;
    const alone: Segment = { ...segment, controls: [], batches: [] };
    for (const batch of batches.sort((a, b) => a.firstIndex - b.firstIndex)) this.#appendBatch(batch, alone);
    return this.#records - before;
  }

  #appendBatch({ parsed, ...batch }: SegmentBatch, segment: Segment): void {
    const { count, baseOffset } = batch.batch;
    for (let index = 0; index < count; ) {
      const chunk = this.#openChunk();
      const take = Math.min(count - index, CHUNK_ROWS - chunk.count);
      const bytesBefore = chunk.bytes;
      const row = chunk.addRows(batch, segment, index, take);
      this.#records += take;
      raiseHead(this.#heads, batch.partition, baseOffset + index + take - 1);
      indexTexts(this.definition, chunk, parsed);
      if (this.definition.kind === 'upsert') this.#linkKeys(chunk, row, index, take, batch);
      this.#bytes += chunk.bytes - bytesBefore;
      index += take;
    }
  }

  #openChunk(): TailChunk {
    const last = this.#chunks[this.#chunks.length - 1];
    if (last !== undefined && !last.full) return last;
    const kind = { upsert: this.definition.kind === 'upsert', text: this.definition.search !== null };
    const chunk = new TailChunk(this.#nextChunk++, this.#records, [...this.#heads], kind);
    this.#chunks.push(chunk);
    return chunk;
  }

  #linkKeys(chunk: TailChunk, row: number, index: number, count: number, { batch }: SegmentBatch): void {
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength);
    const oldest = this.#chunks[0].base;
    for (let at = 0; at < count; at++) {
      const start = batch.keyStart[index + at];
      if (start < 0) continue;
      const ordinal = chunk.base + row + at;
      const key = bytes.toString('latin1', start, batch.keyEnd[index + at]);
      const before = findKey(this.#generations, key, oldest, ordinal);
      if (before >= 0) {
        const older = chunkOf(this.#chunks, before);
        older.supersede(before - older.base, ordinal);
      }
      this.#generationOf(ordinal).put(key, ordinal);
    }
  }

  #generationOf(ordinal: number): KeyGeneration {
    let newest = this.#generations[this.#generations.length - 1];
    if (newest === undefined || ordinal >= newest.endOrdinal) {
      newest = KeyGeneration.holding(ordinal);
      this.#generations = [...this.#generations, newest];
    }
    return newest;
  }

  /** Rows that win in the cut up to the segment, have a text to embed and no vector: at most `limit`, oldest first, with their `seq`. */
  pendingEmbeddings(
    limit: number,
    throughSegment = Number.POSITIVE_INFINITY,
  ): { ordinals: number[]; seqs: number[]; texts: string[] } {
    const ordinals: number[] = [];
    const seqs: number[] = [];
    const texts: string[] = [];
    for (const { chunk, row } of this.#pending(throughSegment)) {
      if (ordinals.length >= limit) break;
      const record = recordOf(chunk.pieceOf(row), row);
      ordinals.push(chunk.base + row);
      seqs.push(record.seq);
      texts.push(this.#embedTextOf(record));
    }
    return { ordinals, seqs, texts };
  }

  /** Takes `dimensions` floats per ordinal. Rows trimmed meanwhile are skipped; of several vectors for a row the first stays. Throws TW_VECTOR_LENGTH. */
  setVectors(ordinals: readonly number[], vectors: Float32Array): void {
    const dimensions = this.definition.embed?.dimensions ?? 0;
    requireLength(vectors.length, ordinals.length * dimensions);
    ordinals.forEach((ordinal, index) => {
      if (this.#chunks.length === 0 || ordinal < this.#chunks[0].base) return;
      const chunk = chunkOf(this.#chunks, ordinal);
      this.#setVector(chunk, ordinal - chunk.base, (out, at) =>
        out.set(vectors.subarray(index * dimensions, (index + 1) * dimensions), at),
      );
    });
  }

  /** Embeds at most `limit` pending rows here and now, oldest first. Returns how many are left. */
  embedPending(embedInto: (text: string, out: Float32Array, at: number) => void, limit = Number.POSITIVE_INFINITY): number {
    let done = 0;
    for (const { chunk, row } of this.#pending(Number.POSITIVE_INFINITY)) {
      if (done++ >= limit) break;
      const text = this.#embedTextOf(recordOf(chunk.pieceOf(row), row));
      this.#setVector(chunk, row, (out, at) => embedInto(text, out, at));
    }
    return done <= limit ? 0 : this.snapshot(this.#trimmedThrough).missingVectors();
  }

  *#pending(throughSegment: number): Iterable<{ chunk: TailChunk; row: number }> {
    const end = throughSegment >= this.#lastSegment ? Number.POSITIVE_INFINITY : firstOrdinalAbove(this.#chunks, throughSegment);
    for (const chunk of this.#chunks) {
      if (chunk.live.missing === 0 && chunk.newestMark < end) continue;
      const endRow = Math.min(chunk.count, end - chunk.base);
      for (let row = chunk.firstRowAbove(this.#trimmedThrough); row < endRow; row++) {
        const pending = (chunk.flags[row] & (ROW.embeddable | ROW.vector)) === ROW.embeddable;
        if (pending && chunk.wins(row, end)) yield { chunk, row };
      }
    }
  }

  #setVector(chunk: TailChunk, row: number, fill: (out: Float32Array, at: number) => void): void {
    const bytesBefore = chunk.vectors?.bytes ?? 0;
    chunk.setVector(row, this.definition.embed!.dimensions, fill);
    this.#bytes += chunk.vectors!.bytes - bytesBefore;
  }

  #embedTextOf(record: StreamRecord): string {
    return embedText(this.definition, readValue(record.value!))!;
  }

  /** Records of segments up to this one are in the table: whole chunks of them are dropped. Snapshots taken before keep theirs. */
  trim(throughSegment: number): void {
    if (throughSegment <= this.#trimmedThrough) return;
    this.#trimmedThrough = throughSegment;
    const kept = this.#chunks.findIndex(chunk => chunk.lastSegment > throughSegment);
    const dropped = kept < 0 ? this.#chunks : this.#chunks.slice(0, kept);
    if (dropped.length > 0) {
      this.#droppedThrough = dropped[dropped.length - 1].lastSegment;
      for (const chunk of dropped) this.#bytes -= chunk.bytes;
      this.#chunks = kept < 0 ? [] : this.#chunks.slice(kept);
      const oldest = this.#chunks[0]?.base ?? Number.POSITIVE_INFINITY;
      this.#generations = this.#generations.filter(generation => generation.endOrdinal > oldest);
    }
    const first = this.#chunks[0];
    this.#recordsTrimmed = first === undefined ? this.#records : first.recordsBefore + first.firstRowAbove(throughSegment);
  }

  /** Segments up to this one will not come any more, and all of their records are in a table that holds those up to `tableSegment`. */
  skip(throughSegment: number, tableSegment: number): void {
    if (throughSegment <= this.#lastSegment) return;
    this.trim(throughSegment);
    this.#droppedThrough = Math.max(this.#droppedThrough, Math.min(throughSegment, tableSegment));
    this.#lastSegment = throughSegment;
  }

  /**
   * The records of segments (afterSegment, throughSegment]. Costs little: the row data is shared. Throws TW_SNAPSHOT_EXPIRED when records
   * above `afterSegment` were already dropped.
   */
  snapshot(afterSegment: number, throughSegment = this.#lastSegment): TailSnapshot {
    if (afterSegment < this.#droppedThrough) {
      const detail = `The tail of "${this.definition.name}" begins above segment ${this.#droppedThrough}, not above ${afterSegment}.`;
      throw new TailwaterError('TW_SNAPSHOT_EXPIRED', { detail });
    }
    const definition = this.definition;
    const through = Math.max(afterSegment, Math.min(throughSegment, this.#lastSegment));
    const ends = { definition, generations: this.#generations, afterSegment, throughSegment: through };
    if (this.#chunks.length === 0) {
      return new TailSnapshot({ ...ends, chunks: [], start: 0, end: 0, heads: this.#heads.map(() => -1), recordCount: 0 });
    }
    const beginning = this.#beginningAfter(afterSegment);
    const end = firstOrdinalAbove(this.#chunks, through);
    const start = Math.min(beginning.ordinal, end);
    const headsAtEnd = through >= this.#lastSegment ? this.#heads : headsBefore(this.#chunks, end);
    const heads = headsAtEnd.map((head, partition) => (head > (beginning.heads[partition] ?? -1) ? head : -1));
    const recordCount = recordsBefore(this.#chunks, end) - recordsBefore(this.#chunks, start);
    return new TailSnapshot({ ...ends, chunks: chunksIn(this.#chunks, start, end), start, end, heads, recordCount });
  }

  #beginningAfter(afterSegment: number): Beginning {
    if (this.#beginning?.afterSegment === afterSegment) return this.#beginning;
    const ordinal = firstOrdinalAbove(this.#chunks, afterSegment);
    const beginning = { afterSegment, ordinal, heads: headsBefore(this.#chunks, ordinal) };
    if (afterSegment <= this.#lastSegment) this.#beginning = beginning;
    return beginning;
  }
}
