import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { JsonObject, StreamDefinition } from '../../src/index.ts';

const DEFAULT_FOLDER = fileURLToPath(new URL('../../../shared/data', import.meta.url));

/** Where the data sets are; null when they are not on this machine. */
export function dataFolder(): string | null {
  const folder = process.env.TAILWATER_DATA ?? DEFAULT_FOLDER;
  return SETS.every(({ file }) => existsSync(join(folder, file))) ? folder : null;
}

export interface DataSet {
  name: string;
  file: string;
  rows: number;
  kind: StreamDefinition['kind'];
  partitions: number;
  /** What the user says of the stream. */
  options: readonly string[];
  /** Source rows in file order as text, found without any of Tailwater's readers. */
  source(content: string): string[];
  /** A record's value as the text of its source row. */
  textOf(value: JsonObject): string;
  /** Filters of which every row matches exactly one, few enough rows each for one answer; and which rows match. */
  slices(source: readonly string[]): { filter: JsonObject; matches(row: string): boolean }[];
}

const EVERYTHING = [{ filter: {}, matches: () => true }];
const MAX_SLICE_ROWS = 900;

export const SETS: readonly DataSet[] = [
  {
    name: 'github-events',
    file: 'github-events/2021-07-21.ndjson.gz',
    rows: 800,
    kind: 'append',
    partitions: 3,
    options: ['--kind', 'append', '--key', 'id', '--time', 'created_at', '--partitions', '3'],
    source: ndjsonRows,
    textOf: value => JSON.stringify(value),
    slices: () => EVERYTHING,
  },
  {
    name: 'ride-events',
    file: 'ride-events/rides.csv.gz',
    rows: 40_000,
    kind: 'append',
    partitions: 1,
    options: ['--time', 'ts:s', '--key', 'userUUID', '--kind', 'append'],
    source: content => linesOf(content).slice(1),
    textOf: value =>
      Object.values(value)
        .map(cell => (cell === null ? '' : String(cell)))
        .join(','),
    slices: timeSlices,
  },
  {
    name: 'cranfield',
    file: 'cranfield/docs.ndjson',
    rows: 1400,
    kind: 'upsert',
    partitions: 2,
    options: ['--key', 'id', '--search', 'title,text', '--embed', 'title,text', '--partitions', '2'],
    source: ndjsonRows,
    textOf: value => JSON.stringify(value),
    slices: () => [
      { filter: { id: { $lt: '5' } }, matches: row => JSON.parse(row).id < '5' },
      { filter: { id: { $gte: '5' } }, matches: row => JSON.parse(row).id >= '5' },
    ],
  },
];

/** Source rows of a file, checked against what is known of it. */
export function sourceRows(set: DataSet, folder: string): string[] {
  const bytes = readFileSync(join(folder, set.file));
  const rows = set.source((set.file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8'));
  if (rows.length !== set.rows || new Set(rows).size !== rows.length) throw new Error(`${set.file} is not the file it was`);
  return rows;
}

function linesOf(content: string): string[] {
  return content.split('\n').filter(line => line !== '');
}

/** Without the white space that has no meaning. */
function ndjsonRows(content: string): string[] {
  return linesOf(content).map(line => JSON.stringify(JSON.parse(line)));
}

/** Ranges of the last column, the time. */
function timeSlices(source: readonly string[]) {
  const times = source.map(timeOf).sort((a, b) => a - b);
  const cuts: number[] = [];
  for (let at = MAX_SLICE_ROWS; at < times.length; at += MAX_SLICE_ROWS) if (times[at] !== cuts.at(-1)) cuts.push(times[at]);
  return [0, ...cuts].map((from, index) => {
    const to = cuts[index] ?? times.at(-1)! + 1;
    return {
      filter: { ts: { $gte: from, $lt: to } },
      matches: (row: string) => timeOf(row) >= from && timeOf(row) < to,
    };
  });
}

function timeOf(row: string): number {
  return Number(row.slice(row.lastIndexOf(',') + 1));
}
