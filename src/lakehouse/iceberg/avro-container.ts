import { inflateRawSync, zstdDecompressSync } from 'node:zlib';
import avro from 'avsc';
import { isTailwaterError, TailwaterError } from '../../base/index.ts';
import { hasFreeItems } from './avro-sizes.ts';
import type { Id } from './exact-json.ts';

/**
 * Avro object container files. Written here and not by avsc's encoder, which leaves out of the header what Iceberg reads by: the field
 * ids of the schema.
 *
 * ```
 * file   = "Obj\x01" metadata sync {block}     metadata: a map of bytes, with "avro.schema" and "avro.codec"
 * block  = count:long length:long data sync
 * ```
 */
export type AvroSchema = { type: string; name?: string; fields?: readonly object[] };

/** How much of a file that others wrote is read. */
export interface ContainerLimits {
  records: number;
  /** Of a block, when it is decompressed. */
  blockBytes: number;
}

const MAGIC = Buffer.from('Obj\x01', 'latin1');
const METADATA = avro.Type.forSchema({ type: 'map', values: 'bytes' });
const SYNC_BYTES = 16;

/** Integers are exact: bigints beyond 2^53, as the ids of other engines' snapshots are, else numbers. */
const LONG = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer): Id => {
    const value = bytes.readBigInt64LE();
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  },
  toBuffer: (value: Id): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    return bytes;
  },
  fromJSON: Number,
  toJSON: Number,
  isValid: (value: unknown): boolean => typeof value === 'bigint' || Number.isSafeInteger(value),
  compare: (one: Id, other: Id): -1 | 0 | 1 => (one < other ? -1 : one > other ? 1 : 0),
});

/** Of the codecs that Iceberg's writers know, those that need nothing else. */
const CODECS: Readonly<Record<string, (block: Buffer, maxBytes: number) => Buffer>> = {
  null: block => block,
  deflate: (block, maxOutputLength) => inflateRawSync(block, { maxOutputLength }),
  zstandard: (block, maxOutputLength) => zstdDecompressSync(block, { maxOutputLength }),
};

const NO_LIMITS: ContainerLimits = { records: Number.POSITIVE_INFINITY, blockBytes: 2 ** 31 };

export function encodeContainer(
  schema: AvroSchema,
  records: readonly object[],
  metadata: Record<string, string>,
  sync: Uint8Array,
): Uint8Array {
  const text = JSON.stringify(schema);
  const type = TYPES.of(text);
  const header: Record<string, Buffer> = {
    'avro.schema': Buffer.from(text),
    'avro.codec': Buffer.from('null'),
  };
  for (const [name, value] of Object.entries(metadata)) header[name] = Buffer.from(value);
  const parts = [MAGIC, METADATA.toBuffer(header), sync];
  if (records.length > 0) {
    const data = Buffer.concat(records.map(record => type.toBuffer(record)));
    parts.push(LONG.toBuffer(records.length), LONG.toBuffer(data.length), data, sync);
  }
  return Buffer.concat(parts);
}

/** Records as the schema in the file says. Throws TW_DATA_DAMAGED, also when there is more of it than the limits allow. */
export function decodeContainer<T>(
  bytes: Uint8Array,
  limits: ContainerLimits = NO_LIMITS,
): { records: T[]; metadata: Record<string, Buffer> } {
  try {
    return decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), limits);
  } catch (cause) {
    throw isTailwaterError(cause) ? cause : damaged(String(cause));
  }
}

function decode<T>(bytes: Buffer, limits: ContainerLimits): { records: T[]; metadata: Record<string, Buffer> } {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged('the magic is missing');
  const header = METADATA.decode(bytes, MAGIC.length);
  const metadata: Record<string, Buffer> = header.value;
  const type = TYPES.of(String(metadata['avro.schema']));
  const codec = String(metadata['avro.codec'] ?? 'null');
  if (!Object.hasOwn(CODECS, codec)) throw damaged(`its codec "${codec.slice(0, 20)}" is not known`);
  const records: T[] = [];
  let at = header.offset + SYNC_BYTES;
  while (at < bytes.length) {
    const count = LONG.decode(bytes, at);
    const length = LONG.decode(bytes, count.offset);
    const end = length.offset + length.value;
    if (count.offset < 0 || length.offset < 0 || length.value < 0 || end + SYNC_BYTES > bytes.length) {
      throw damaged('a block is cut off');
    }
    if (records.length + count.value > limits.records) throw damaged(`it has more than ${limits.records} entries`);
    const block = CODECS[codec](bytes.subarray(length.offset, end), limits.blockBytes);
    let position = 0;
    for (let record = 0; record < count.value; record++) {
      const decoded = type.decode(block, position);
      if (decoded.offset < 0) throw damaged('a record is cut off');
      records.push(decoded.value);
      position = decoded.offset;
    }
    if (position !== block.length) throw damaged('a block has another length than it says');
    at = end + SYNC_BYTES;
  }
  return { records, metadata };
}

function damaged(problem: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail: `It is not a sound Avro file: ${problem}.` });
}

const MAX_TYPES = 64;
const MAX_SCHEMA_LENGTH = 64 * 1024;

/** Types by the text of their schema: making one compiles code, and the schemas of a table's manifests are few. */
class Types {
  /** In the order of their last use. */
  readonly #known = new Map<string, avro.Type>();

  /** TW_DATA_DAMAGED for a schema whose values can take no bytes. */
  of(text: string): avro.Type {
    const type = this.#known.get(text) ?? this.#made(text);
    if (text.length > MAX_SCHEMA_LENGTH) return type;
    this.#known.delete(text);
    this.#known.set(text, type);
    if (this.#known.size > MAX_TYPES) this.#known.delete(this.#known.keys().next().value!);
    return type;
  }

  #made(text: string): avro.Type {
    const schema: AvroSchema = JSON.parse(text);
    if (hasFreeItems(schema)) throw damaged('its schema has lists of what takes no bytes');
    return avro.Type.forSchema(schema as avro.Schema, { wrapUnions: false, registry: { long: LONG } });
  }
}

const TYPES = new Types();
