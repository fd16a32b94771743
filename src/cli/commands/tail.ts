import type { Command } from 'commander';
import type { ApiRecord, TailwaterApi } from '../../server/index.ts';
import { parseCount } from '../arguments.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { type Connection, withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import type { RecordReader } from '../exact-reader.ts';
import { showLive } from '../live-output.ts';
import { fitted, printJson, printLine } from '../output.ts';

interface TailOptions extends CommonOptions {
  follow?: boolean;
  from?: string;
  limit?: number;
  partition?: number;
}

const DEFAULT_RECORDS = 10;
const PAGE_RECORDS = 1000;

export function addTailCommand(program: Command, context: CliContext): void {
  const command = program
    .command('tail')
    .description('print the last records of a stream, and with -f every new one as it is acknowledged')
    .argument('<stream>')
    .option('-f, --follow', 'keep printing what comes, until stopped')
    .option('--from <position>', 'start at earliest, latest, an offset, time:<ISO 8601> or event:<ISO 8601> instead')
    .option('-n, --limit <count>', `how many records; default ${DEFAULT_RECORDS}, with --from all`, parseCount)
    .option('--partition <number>', 'only this partition', parseCount)
    .action((name: string, options: TailOptions) => tail(name, options, context));
  addCommonOptions(command, context);
  addExamples(command, [
    'tail orders',
    'tail orders -f',
    'tail orders --from time:2026-01-31T12:00:00Z --json',
    'tail orders --from earliest -n 100',
  ]);
}

function tail(name: string, options: TailOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api, reader }: Connection) => {
    const print = (record: ApiRecord): void => printRecord(record, options, context);
    if (options.from === undefined) {
      const { records, token } = await lastRecords(api, reader, name, options);
      records.forEach(print);
      if (options.follow === true) await follow(reader, name, { ...options, after: token }, context, print);
    } else if (options.follow === true) await follow(reader, name, options, context, print);
    else await printFrom(api, reader, name, options.from, options, print);
  });
}

/** The newest records of all partitions in commit order, all read at the one moment the token names. */
async function lastRecords(api: TailwaterApi, reader: RecordReader, name: string, options: TailOptions) {
  const limit = options.limit ?? DEFAULT_RECORDS;
  const { token } = await api.getTable(name);
  const { head, earliest } = await api.getStream(name);
  const records: ApiRecord[] = [];
  for (const partition of partitionsOf(head, options)) {
    const from = Math.max(earliest[partition], head[partition] + 1 - limit);
    if (limit === 0 || head[partition] < 0) continue;
    records.push(...(await reader.read(name, { partition, from, limit, consistency: { asOf: token } })).records);
  }
  records.sort((a, b) =>
    a.ingestedAt < b.ingestedAt ? -1 : a.ingestedAt > b.ingestedAt ? 1 : a.partition - b.partition || a.offset - b.offset,
  );
  return { records: limit === 0 ? [] : records.slice(-limit), token };
}

function partitionsOf(head: readonly number[], { partition }: TailOptions): number[] {
  return partition === undefined ? [...head.keys()] : [partition];
}

async function printFrom(
  api: TailwaterApi,
  reader: RecordReader,
  name: string,
  start: string,
  options: TailOptions,
  print: (record: ApiRecord) => void,
): Promise<void> {
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  const { head } = await api.getStream(name);
  for (const partition of partitionsOf(head, options)) {
    let from: string | number = start;
    while (left > 0) {
      const { records, next } = await reader.read(name, { partition, from, limit: Math.min(PAGE_RECORDS, left) });
      records.forEach(print);
      left -= records.length;
      from = next;
      if (records.length === 0 || next > head[partition]) break;
    }
  }
}

async function follow(
  reader: RecordReader,
  name: string,
  options: TailOptions & { after?: string },
  context: CliContext,
  print: (record: ApiRecord) => void,
): Promise<void> {
  const { after, from, partition } = options;
  const start = after === undefined ? { from: from! } : { after };
  const chosen = partition === undefined ? {} : { partition };
  const times = after === undefined ? options.limit : undefined;
  await showLive(
    context,
    signal => reader.follow(name, { ...start, ...chosen, signal }),
    ({ record }) => print(record),
    times,
  );
}

export function printRecord(record: ApiRecord, options: Pick<CommonOptions, 'json'>, context: CliContext): void {
  if (options.json === true) {
    printJson(context, record);
    return;
  }
  const { ingestedAt, partition, offset, key, value } = record;
  const keyText = key === null ? '' : ` ${typeof key === 'string' ? key : `base64:${key.base64}`}`;
  printLine(
    context,
    fitted(context, `${ingestedAt} ${partition}:${offset}${keyText} ${value === null ? '(deleted)' : JSON.stringify(value)}`),
  );
}
