import { isUtf8 } from 'node:buffer';
import type { RecordHeader } from '../../streams/index.ts';

type StoredValue = string | null | { base64: string };

/** `[["name","text"],["name",null],["name",{"base64":"…"}]]`: a list, since names may repeat and order counts. */
export function encodeHeaders(headers: readonly RecordHeader[]): string {
  return JSON.stringify(headers.map(({ name, value }): [string, StoredValue] => [name, storedValue(value)]));
}

export function decodeHeaders(text: string): RecordHeader[] {
  const stored: [string, StoredValue][] = JSON.parse(text);
  return stored.map(([name, value]) => ({ name, value: headerBytes(value) }));
}

function storedValue(value: Uint8Array | null): StoredValue {
  if (value === null) return null;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return isUtf8(bytes) ? bytes.toString() : { base64: bytes.toString('base64') };
}

function headerBytes(value: StoredValue): Uint8Array | null {
  if (value === null) return null;
  return typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.base64, 'base64');
}
