import { isUtf8 } from 'node:buffer';
import type { StreamKind, StreamRecord } from '../streams/index.ts';

/** Unique within the stream: the key in upsert streams (its text, or `base64:` and its bytes), else `partition:offset`. */
export function hitId({ key, partition, offset }: StreamRecord, kind: StreamKind): string {
  if (kind === 'append' || key === null) return `${partition}:${offset}`;
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return isUtf8(bytes) ? bytes.toString('utf8') : `base64:${bytes.toString('base64')}`;
}
