import { createRequire } from 'node:module';
import { type ArrowData, type ArrowSchema, arrow } from './arrow.ts';
import type { ColumnBatch } from './column-batch.ts';

const metadata: typeof import('apache-arrow/ipc/metadata/message') = createRequire(import.meta.url)(
  'apache-arrow/ipc/metadata/message',
);

type Region = InstanceType<typeof metadata.BufferRegion>;
type Node = InstanceType<typeof metadata.FieldNode>;

/**
 * The Arrow IPC streaming format, a message at a time. Written here, since arrow's own writer leaves out the values of boolean columns that
 * are null throughout, and readers in other languages refuse such a batch; and since one buffer per message is what a socket wants.
 *
 *   stream  = schema-message batch-message* end
 *   message = 0xffffffff length:i32 flatbuffer padding body             (everything aligned to 8 bytes)
 *   end     = 0xffffffff 0x00000000
 */
export function encodeSchema(schema: ArrowSchema): Uint8Array {
  return encodeMessage(arrow.Message.encode(arrow.Message.from(schema)), [], 0);
}

export function encodeBatch({ rows, columns }: ColumnBatch): Uint8Array {
  const body = new Body();
  for (const column of columns) body.addColumn(column);
  const header = new metadata.RecordBatch(rows, body.nodes, body.regions);
  return encodeMessage(arrow.Message.encode(arrow.Message.from(header, body.length)), body.buffers, body.length);
}

/** A reader that does not see it has not read everything. */
export function encodeEnd(): Uint8Array {
  return new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
}

function encodeMessage(flatbuffer: Uint8Array, buffers: readonly Uint8Array[], bodyLength: number): Uint8Array {
  const headLength = aligned(flatbuffer.length + 8);
  const message = Buffer.alloc(headLength + bodyLength);
  message.writeInt32LE(-1, 0);
  message.writeInt32LE(headLength - 8, 4);
  message.set(flatbuffer, 8);
  let at = headLength;
  for (const buffer of buffers) {
    message.set(buffer, at);
    at += aligned(buffer.length);
  }
  return message;
}

/** The buffers of a record batch, in the order that the format prescribes: validity, then offsets, then values. */
class Body {
  readonly nodes: Node[] = [];
  readonly regions: Region[] = [];
  readonly buffers: Uint8Array[] = [];
  length = 0;

  addColumn(data: ArrowData): void {
    const { type, length, nullCount } = data;
    this.nodes.push(new metadata.FieldNode(length, nullCount));
    this.#add(nullCount > 0 ? data.nullBitmap!.subarray(0, (length + 7) >> 3) : new Uint8Array(0));
    if (arrow.DataType.isFixedSizeList(type)) this.addColumn(data.children[0]);
    else if (arrow.DataType.isBool(type)) this.#add(data.values.subarray(0, (length + 7) >> 3));
    else {
      if (arrow.DataType.isUtf8(type) || arrow.DataType.isBinary(type)) this.#add(data.valueOffsets);
      this.#add(data.values);
    }
  }

  #add({ buffer, byteOffset, byteLength }: ArrayBufferView): void {
    this.regions.push(new metadata.BufferRegion(this.length, byteLength));
    this.buffers.push(new Uint8Array(buffer, byteOffset, byteLength));
    this.length += aligned(byteLength);
  }
}

function aligned(bytes: number): number {
  return (bytes + 7) & ~7;
}
