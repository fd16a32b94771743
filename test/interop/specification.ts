import { join } from 'node:path';
import type { TailwaterClient } from '../../src/client.ts';
import type { ApiRecord } from '../../src/server/index.ts';
import { linesOf, newestByKey, recordsOf, rowOf } from './fixtures.ts';
import type { RunningNode } from './node.ts';

const ICEBERG_PARTITION = '_stream_partition';
const LANCE_PARTITION = '_partition';
const OTHERS = ['_offset', '_time'];
const OWN: Record<string, string[]> = {
  events: ['id', 'kind', 'amount', 'ok'],
  users: ['user', 'name', 'visits'],
  readings: ['sensor', 'level', 'alarm', 'unit'],
  notes: ['id', 'text', 'size'],
};

/** What the script of an engine is told. */
export interface Specification {
  catalog: string;
  columns: Record<string, string[]>;
  filterTime: string;
  snapshots: Record<string, number>;
  locations: Record<string, string>;
  folders: Record<string, string>;
  metadata: Record<string, unknown>;
  lance: { path: string; version: number; earlier: number };
}

interface LoadedTable {
  metadata: { location: string; snapshots: { 'snapshot-id': number }[] };
  'metadata-location': string;
}

const FILTER_TIME = '2026-03-03T00:00:00+00:00';
const ICEBERG = ['events', 'users', 'readings'];

/** The addresses of the tables, as the catalog and the API of the node say. `notesBefore`: the version of the Lance table before the last compaction. */
export async function specificationOf(node: RunningNode, notesBefore: number): Promise<Specification> {
  const spec: Specification = {
    catalog: `${node.url}/iceberg`,
    columns: Object.fromEntries(Object.entries(OWN).map(([name, own]) => [name, [partitionOf(name), ...OTHERS, ...own]])),
    filterTime: FILTER_TIME,
    snapshots: {},
    locations: {},
    folders: {},
    metadata: {},
    lance: await lanceTable(node, notesBefore),
  };
  for (const name of ICEBERG) {
    const response = await fetch(`${spec.catalog}/v1/namespaces/tailwater/tables/${name}`);
    const { metadata, 'metadata-location': location } = (await response.json()) as LoadedTable;
    spec.snapshots[name] = metadata.snapshots[0]['snapshot-id'];
    spec.locations[name] = location;
    spec.folders[name] = metadata.location.replace('file://', '');
    spec.metadata[name] = metadata;
  }
  return spec;
}

function partitionOf(stream: string): string {
  return ICEBERG.includes(stream) ? ICEBERG_PARTITION : LANCE_PARTITION;
}

async function lanceTable({ client, dataDir }: RunningNode, earlier: number): Promise<Specification['lance']> {
  const { state } = await client.getTable('notes');
  return { path: join(dataDir, 'lance', state!.incarnation, 'rows.lance'), version: state!.rowsVersion, earlier };
}

/** What Tailwater's own API says that an engine has to find: rows as lines, everything else as it is. */
export type Expected = Record<string, unknown>;

export async function expectedOf(client: TailwaterClient, columns: Record<string, string[]>): Promise<Expected> {
  const lines = (name: string, records: readonly ApiRecord[]): string[] => {
    const [partition] = columns[name];
    return linesOf(records.map(record => rowOf(record, OWN[name], partition)));
  };
  const events = await recordsOf(client, 'events', 2);
  const users = await recordsOf(client, 'users');
  const notes = await recordsOf(client, 'notes');
  const matching = events.filter(({ value }) => wanted(value as { kind: string; amount?: number }));
  const live = newestByKey(users);
  const superseded = users.filter(record => !live.includes(record));
  return {
    list: ['events', 'readings', 'users'],
    scan: lines('events', events),
    types: {
      [ICEBERG_PARTITION]: 'int32',
      _offset: 'int64',
      _time: 'timestamp[us, tz=UTC]',
      id: 'int64',
      kind: 'string',
      amount: 'double',
      ok: 'bool',
    },
    filter: lines('events', matching),
    'time filter': lines(
      'events',
      events.filter(record => Date.parse(record.time) >= Date.parse(FILTER_TIME)),
    ),
    'time travel': lines('events', firstCompacted(events, 2000)),
    'upserts and deletes': lines('users', live),
    changes: linesOf(superseded.map(({ partition, offset }) => ({ [ICEBERG_PARTITION]: partition, _offset: offset }))),
    'schema evolution': lines('readings', await recordsOf(client, 'readings')),
    'without the catalog': lines('users', live),
    "append to a stream's table": true,
    notes: lines('notes', newestByKey(notes)),
    'notes before': lines('notes', newestByKey(notes.slice(0, 200))),
    'notes filtered': lines(
      'notes',
      newestByKey(notes).filter(({ value }) => Number((value as { size: number }).size) >= 120),
    ),
  };
}

function wanted({ kind, amount }: { kind: string; amount?: number }): boolean {
  return kind === 'köp' && amount !== undefined && amount > 100;
}

/** The records of the first append, whatever partition they went to: its ids are known. */
function firstCompacted(records: readonly ApiRecord[], count: number): ApiRecord[] {
  const numberOf = (record: ApiRecord): number => {
    const { id } = record.value as { id: number };
    return id > 1e6 ? Number.MAX_SAFE_INTEGER - id : id;
  };
  return records.filter(record => numberOf(record) < count);
}
