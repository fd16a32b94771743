import { isJsonObject, type JsonValue } from '../../base/index.ts';

/** What a pin says that keeps the segments of a shard from one on (J9): `{"kind":"log","shard":0,"fromSeq":17}`. */
export interface LogPin {
  kind: 'log';
  shard: number;
  fromSeq: number;
}

/** Null when the pin is about something else. */
export function asLogPin(what: JsonValue): LogPin | null {
  if (!isJsonObject(what) || what.kind !== 'log') return null;
  const { shard, fromSeq } = what;
  return typeof shard === 'number' && typeof fromSeq === 'number' ? { kind: 'log', shard, fromSeq } : null;
}
