import { isTailwaterError, TailwaterError } from '../../base/index.ts';
import type { AppendRecord, RowAnswer, TailwaterApi } from '../../server/index.ts';
import type { StreamSettings } from '../../streams/index.ts';

/** Rows asked for at once, where each is a request. */
const ROWS_AT_ONCE = 16;
/** A segment holds this many small records easily: what is written together becomes visible together. */
const RECORDS_AT_ONCE = 5_000;

/** The stream, made when it is not there. One that is there with other settings stays as it is. */
export async function ensureStream(api: TailwaterApi, name: string, settings: () => StreamSettings): Promise<void> {
  try {
    await api.getStream(name);
  } catch (error) {
    if (!isTailwaterError(error, 'TW_STREAM_NOT_FOUND')) throw error;
    await createOrJoin(api, name, settings());
  }
}

/** Two that start at once: whoever loses finds the other's stream. */
async function createOrJoin(api: TailwaterApi, name: string, settings: StreamSettings): Promise<void> {
  try {
    await api.createStream(name, settings);
  } catch (error) {
    if (!isTailwaterError(error, 'TW_STREAM_EXISTS')) throw error;
  }
}

/** Appends all of them, in order. Throws what the first rejected record was rejected for, once the others are written. */
export async function appendAll(api: TailwaterApi, stream: string, records: readonly AppendRecord[]): Promise<void> {
  let firstRejection: { index: number; code: string; message: string } | null = null;
  for (let at = 0; at < records.length; at += RECORDS_AT_ONCE) {
    const { rejected } = await api.append(stream, records.slice(at, at + RECORDS_AT_ONCE));
    if (rejected.length > 0) firstRejection ??= { ...rejected[0], index: at + rejected[0].index };
  }
  if (firstRejection === null) return;
  const { index, code, message } = firstRejection;
  throw new TailwaterError('TW_SCHEMA_MISMATCH', {
    detail: `Record ${index} was rejected (${code}): ${message} The others are written.`,
    data: { index, code },
  });
}

/** The rows of these keys, in order; null where there is none. */
export async function rowsOf(api: TailwaterApi, stream: string, keys: readonly string[]): Promise<(RowAnswer | null)[]> {
  const rows: (RowAnswer | null)[] = [];
  for (let at = 0; at < keys.length; at += ROWS_AT_ONCE) {
    rows.push(...(await Promise.all(keys.slice(at, at + ROWS_AT_ONCE).map(key => rowOf(api, stream, key)))));
  }
  return rows;
}

async function rowOf(api: TailwaterApi, stream: string, key: string): Promise<RowAnswer | null> {
  try {
    return await api.getRow(stream, key);
  } catch (error) {
    if (isTailwaterError(error, 'TW_ROW_NOT_FOUND')) return null;
    throw error;
  }
}

export function deleteRows(api: TailwaterApi, stream: string, keys: readonly string[]): Promise<void> {
  return appendAll(
    api,
    stream,
    keys.map(key => ({ key, value: null })),
  );
}
