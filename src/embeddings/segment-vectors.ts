import { BinaryReader, BinaryWriter, crc32c, namingDamage, TailwaterError, toBase64Url, utf8 } from '../base/index.ts';
import type { ObjectStore } from '../storage/index.ts';
import type { ProviderSettings } from './create-provider.ts';

const MAGIC = 0x54575631; // TWV1
const HEADER_BYTES = 16;

/** The vectors of some records of one segment; `seqIndex` is the record's place in it. */
export interface VectorEntry {
  seqIndex: number;
  vector: Float32Array;
}

/**
 * The vectors of a stream's segments, one object per model and segment, put-if-absent: whoever embeds a segment first decides, and
 * everyone, compaction too, uses those bytes (design, section 8). Layout: docs/FORMATS.md, "Vector object".
 */
export class SegmentVectors {
  readonly #store: ObjectStore;
  readonly #prefix: string;
  readonly #dimensions: number;

  constructor(store: ObjectStore, incarnation: string, embed: ProviderSettings) {
    this.#store = store;
    const model = toBase64Url(utf8(`${embed.provider}/${embed.model}/${embed.dimensions}`));
    this.#prefix = `vectors/${incarnation}/${model}`;
    this.#dimensions = embed.dimensions;
  }

  /** Null when nobody has embedded the segment. Throws TW_DATA_DAMAGED. */
  async read(segment: number): Promise<VectorObject | null> {
    const key = this.#keyOf(segment);
    const stored = await this.#store.get(key);
    return stored === null ? null : namingDamage(key, () => decode(stored.bytes, this.#dimensions));
  }

  /** Returns what is stored afterwards: these vectors, or those of whoever was first. Throws TW_OUTCOME_UNKNOWN. */
  async write(segment: number, entries: readonly VectorEntry[]): Promise<VectorObject> {
    const bytes = encode(entries, this.#dimensions);
    const outcome = await this.#store.put(this.#keyOf(segment), bytes, { ifAbsent: true });
    if (outcome.kind === 'ok') return decode(bytes, this.#dimensions);
    const stored = await this.read(segment);
    if (stored !== null) return stored;
    throw new TailwaterError('TW_OUTCOME_UNKNOWN', {
      detail: `It is not known whether the vectors of segment ${segment} were stored.`,
    });
  }

  #keyOf(segment: number): string {
    return `${this.#prefix}/${String(segment).padStart(20, '0')}`;
  }
}

/** Vectors by place in the segment. */
export class VectorObject {
  readonly #rows: Map<number, number>;
  readonly #vectors: Float32Array;
  readonly #dimensions: number;

  constructor(rows: Map<number, number>, vectors: Float32Array, dimensions: number) {
    this.#rows = rows;
    this.#vectors = vectors;
    this.#dimensions = dimensions;
  }

  vectorOf(seqIndex: number): Float32Array | undefined {
    const row = this.#rows.get(seqIndex);
    return row === undefined ? undefined : this.#vectors.subarray(row * this.#dimensions, (row + 1) * this.#dimensions);
  }
}

// object = magic u32, crc32c u32 of what follows, dimensions u32, count u32, seqIndex u32 × count, float32 (little-endian) × count × dimensions
function encode(entries: readonly VectorEntry[], dimensions: number): Uint8Array {
  const writer = new BinaryWriter(HEADER_BYTES + entries.length * (4 + dimensions * 4));
  writer.u32(MAGIC);
  writer.u32(0);
  writer.u32(dimensions);
  writer.u32(entries.length);
  for (const { seqIndex } of entries) writer.u32(seqIndex);
  for (const { vector } of entries) writer.raw(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
  writer.patchU32(4, crc32c(writer.finish().subarray(8)));
  return writer.finish();
}

function decode(bytes: Uint8Array, dimensions: number): VectorObject {
  const reader = new BinaryReader(bytes);
  const magic = reader.u32();
  if (magic !== MAGIC) throw damaged('it does not begin as one');
  if (reader.u32() !== crc32c(bytes.subarray(8))) throw damaged('its checksum does not match');
  if (reader.u32() !== dimensions) throw damaged('it has other dimensions than its name says');
  const count = reader.u32();
  const rows = new Map<number, number>();
  for (let row = 0; row < count; row++) rows.set(reader.u32(), row);
  const data = reader.raw(count * dimensions * 4);
  return new VectorObject(rows, new Float32Array(data.slice().buffer), dimensions);
}

function damaged(why: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail: `A vector object is damaged: ${why}.` });
}
