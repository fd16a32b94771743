import type { TailwaterClient } from '../../src/client.ts';
import type { ApiRecord } from '../../src/server/index.ts';

/** A row as every engine is asked to give it: times in microseconds, no matter how the engine shows them. */
export type Row = Record<string, string | number | boolean | null>;

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 2, 1);

/** Rows of partitions and days, with nulls, long integers and texts beyond ASCII; compacted twice. */
export async function fillEvents(client: TailwaterClient): Promise<void> {
  await client.createStream('events', {
    kind: 'append',
    partitions: 2,
    time: 'at',
    schema: {
      type: 'object',
      properties: {
        at: { type: 'string' },
        id: { type: 'integer' },
        kind: { type: 'string' },
        amount: { type: 'number' },
        ok: { type: 'boolean' },
      },
    },
    table: { partitionBy: ['day(_time)'], sortBy: ['id'] },
  });
  await client.append('events', values(0, 2000));
  await client.compact('events');
  await client.append('events', values(2000, 2500));
  await client.compact('events');
}

function values(from: number, to: number) {
  return Array.from({ length: to - from }, (_, at) => {
    const id = from + at;
    const value = {
      at: new Date(START_MS + (id % 100) * HOUR_MS).toISOString(),
      id: id % 50 === 0 ? Number.MAX_SAFE_INTEGER - id : id,
      kind: ['view', 'köp', 'süß 🛒'][id % 3],
      ...(id % 7 === 0 ? {} : { amount: id / 4 }),
      ...(id % 5 === 0 ? {} : { ok: id % 2 === 0 }),
    };
    return { key: `k${id % 10}`, value };
  });
}

/** Keys that are replaced and deleted after they have been compacted. */
export async function fillUsers(client: TailwaterClient): Promise<void> {
  await client.createStream('users', { kind: 'upsert', key: 'user' });
  const users = (from: number, to: number, visits: number) =>
    Array.from({ length: to - from }, (_, at) => ({ value: { user: `u${from + at}`, name: `Name ${from + at}`, visits } }));
  await client.append('users', users(0, 300, 1));
  await client.compact('users');
  await client.append('users', users(50, 150, 2));
  await client.append(
    'users',
    Array.from({ length: 40 }, (_, at) => ({ key: `u${at * 5}`, value: null })),
  );
  await client.compact('users');
  await client.append('users', users(280, 320, 3));
  await client.compact('users');
}

/** Columns that appear, widen and vanish from one compaction to the next. */
export async function fillReadings(client: TailwaterClient): Promise<void> {
  await client.createStream('readings', { kind: 'append' });
  const append = async (value: (at: number) => Record<string, number | string | boolean>): Promise<void> => {
    await client.append(
      'readings',
      Array.from({ length: 100 }, (_, at) => ({ value: value(at) })),
    );
    await client.compact('readings');
  };
  await append(at => ({ sensor: `s${at % 4}`, level: at }));
  await append(at => ({ sensor: `s${at % 4}`, level: at + 0.5, alarm: at % 2 === 0 }));
  await append(at => ({ level: at, unit: 'cm' }));
}

/** Returns the version of the Lance table after the first compaction. */
export async function fillNotes(client: TailwaterClient): Promise<number> {
  await client.createStream('notes', {
    kind: 'upsert',
    key: 'id',
    search: { fields: ['text'] },
    embed: { fields: ['text'], dimensions: 64 },
  });
  const notes = (from: number, to: number, word: string) =>
    Array.from({ length: to - from }, (_, at) => ({
      value: { id: `n${from + at}`, text: `note ${from + at} ${word}`, size: from + at },
    }));
  await client.append('notes', notes(0, 200, 'first'));
  const { state } = await client.compact('notes');
  await client.append('notes', notes(100, 150, 'second'));
  await client.append(
    'notes',
    Array.from({ length: 20 }, (_, at) => ({ key: `n${at}`, value: null })),
  );
  await client.compact('notes');
  return state!.rowsVersion;
}

/** Everything that was written, by offset. */
export async function recordsOf(client: TailwaterClient, stream: string, partitions = 1): Promise<ApiRecord[]> {
  const all: ApiRecord[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    for (let from = 0; ; ) {
      const { records, next } = await client.read(stream, { partition, from, limit: 10_000 });
      if (records.length === 0) break;
      all.push(...records);
      from = next;
    }
  }
  return all;
}

/** The newest record of each key, deletions left out: the rows of an upsert stream. */
export function newestByKey(records: readonly ApiRecord[]): ApiRecord[] {
  const newest = new Map(records.map(record => [String(record.key), record]));
  return [...newest.values()].filter(record => record.value !== null);
}

export function rowOf(record: ApiRecord, columns: readonly string[], partition: string): Row {
  const value = record.value as Row;
  return {
    [partition]: record.partition,
    _offset: record.offset,
    _time: Date.parse(record.time) * 1000,
    ...Object.fromEntries(columns.map(name => [name, value?.[name] ?? null])),
  };
}

/** Sorted by partition and offset, each row a line: what is compared. */
export function linesOf(rows: readonly Row[]): string[] {
  const names = [...new Set(rows.flatMap(row => Object.keys(row)))].sort();
  const place = (row: Row) => Number(row._stream_partition ?? row._partition) * 2 ** 40 + Number(row._offset);
  return [...rows].sort((a, b) => place(a) - place(b)).map(row => JSON.stringify(names.map(name => row[name] ?? null)));
}
