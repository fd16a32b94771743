import avro from 'avsc';
import { isTailwaterError, TailwaterError } from '../../base/index.ts';

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

const MAGIC = Buffer.from('Obj\x01', 'latin1');
const METADATA = avro.Type.forSchema({ type: 'map', values: 'bytes' });
const LONG = avro.Type.forSchema('long');
const SYNC_BYTES = 16;

export function encodeContainer(
  schema: AvroSchema,
  records: readonly object[],
  metadata: Record<string, string>,
  sync: Uint8Array,
): Uint8Array {
  const type = typeOf(schema);
  const header: Record<string, Buffer> = {
    'avro.schema': Buffer.from(JSON.stringify(schema)),
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

/** Records as the schema in the file says. Throws TW_DATA_DAMAGED. */
export function decodeContainer<T>(bytes: Uint8Array): { records: T[]; metadata: Record<string, Buffer> } {
  try {
    return decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (cause) {
    throw isTailwaterError(cause) ? cause : damaged(String(cause));
  }
}

function decode<T>(bytes: Buffer): { records: T[]; metadata: Record<string, Buffer> } {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged('the magic is missing');
  const header = METADATA.decode(bytes, MAGIC.length);
  const metadata: Record<string, Buffer> = header.value;
  const type = typeOf(JSON.parse(String(metadata['avro.schema'])));
  if (String(metadata['avro.codec'] ?? 'null') !== 'null') throw damaged('its codec is not known');
  const records: T[] = [];
  let at = header.offset + SYNC_BYTES;
  while (at < bytes.length) {
    const count = LONG.decode(bytes, at);
    const length = LONG.decode(bytes, count.offset);
    let position = length.offset;
    for (let record = 0; record < count.value; record++) {
      const decoded = type.decode(bytes, position);
      if (decoded.offset < 0) throw damaged('a record is cut off');
      records.push(decoded.value);
      position = decoded.offset;
    }
    if (position !== length.offset + length.value) throw damaged('a block has another length than it says');
    at = position + SYNC_BYTES;
  }
  return { records, metadata };
}

function damaged(problem: string): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail: `It is not a sound Avro file: ${problem}.` });
}

function typeOf(schema: AvroSchema): avro.Type {
  return avro.Type.forSchema(schema as avro.Schema, { wrapUnions: false });
}
