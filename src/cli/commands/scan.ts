import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type JsonObject, systemClock, TailwaterError } from '../../base/index.ts';
import type { ScanFormat, ScanOptions as ScanRequestOptions } from '../../server/index.ts';
import { parseCount, parseFields, parseJsonObject } from '../arguments.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { bytesText, duration, printJson, printLine } from '../output.ts';
import { statusLine } from '../status-line.ts';

interface ScanOptions extends CommonOptions {
  format?: ScanFormat;
  columns?: string[];
  filter?: JsonObject;
  asOf?: string;
  shard?: { index: number; count: number };
  afterSeq?: number;
  tail: boolean;
  out?: string;
}

const FORMATS: readonly ScanFormat[] = ['arrow', 'ndjson', 'parquet'];

export function addScanCommand(program: Command, context: CliContext): void {
  const command = program
    .command('scan')
    .description('read all rows of a stream at one instant, into a file or a pipe')
    .argument('<stream>')
    .addOption(new Option('--format <format>', 'default: what the name of --out ends with, else ndjson').choices(FORMATS))
    .option('--columns <names>', 'columns to read, comma-separated', parseFields)
    .option('--filter <json>', 'only rows that match', parseJsonObject)
    .option('--as-of <time or token>', 'the state at that moment')
    .option('--shard <i/n>', 'the i-th (from 0) of n disjoint parts', parseShard)
    .option('--after-seq <seq>', 'only rows with a higher _seq, to go on with a scan of the same --as-of', parseCount)
    .option('--no-tail', 'only what has been compacted into the table')
    .option('--out <file>', 'where to write; it appears when it is whole')
    .action((name: string, options: ScanOptions) => scan(name, options, context));
  addCommonOptions(command, context);
  addExamples(command, [
    'scan orders --out orders.parquet',
    'scan orders --format arrow --columns id,price --shard 0/4 --out part-0.arrow',
    'scan orders --filter \'{"status": "open"}\' | head',
  ]);
}

function parseShard(text: string): { index: number; count: number } {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('It must be i/n, such as 0/4.');
  return { index: Number(match[1]), count: Number(match[2]) };
}

function scan(name: string, options: ScanOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const stop = new AbortController();
    const unlisten = context.onSignal(() => stop.abort());
    const status = statusLine(context, options.json === true || options.out === undefined);
    const startedMs = systemClock.nowMs();
    try {
      const { body, token, freshness } = await api.scan(name, { ...request(options), signal: stop.signal });
      let bytes = 0;
      const counted = (async function* () {
        for await (const part of body) {
          bytes += part.length;
          status.show(`${name}: ${bytesText(bytes)}, ${duration(systemClock.nowMs() - startedMs)}`);
          yield part;
        }
      })();
      if (options.out === undefined) return await writeAll(counted, context.stdout);
      await writeFile(counted, options.out);
      status.end();
      if (options.json === true) printJson(context, { file: options.out, bytes, token, freshness });
      else
        printLine(context, `${options.out}: ${bytesText(bytes)} in ${duration(systemClock.nowMs() - startedMs)}; token ${token}`);
    } finally {
      status.end();
      unlisten();
    }
  });
}

function request({ format, out, columns, filter, asOf, shard, afterSeq, tail }: ScanOptions): ScanRequestOptions {
  const ending = FORMATS.find(each => out?.endsWith(`.${each}`));
  return {
    format: format ?? ending ?? 'ndjson',
    tail,
    ...(columns === undefined ? {} : { columns }),
    ...(filter === undefined ? {} : { filter }),
    ...(asOf === undefined ? {} : { consistency: { asOf } }),
    ...(shard === undefined ? {} : { shard }),
    ...(afterSeq === undefined ? {} : { afterSeq }),
  };
}

async function writeAll(body: AsyncIterable<Uint8Array>, target: Writable): Promise<void> {
  for await (const part of body) if (!target.write(part)) await once(target, 'drain');
}

/** Under another name until it is whole: half a file is never taken for one. */
async function writeFile(body: AsyncIterable<Uint8Array>, path: string): Promise<void> {
  const unfinished = `${path}.part`;
  const file = createWriteStream(unfinished);
  try {
    await Promise.race([writeAll(body, file), once(file, 'error').then(([error]) => Promise.reject(error))]);
    file.end();
    await once(file, 'finish');
    await rename(unfinished, path);
  } catch (error) {
    file.destroy();
    await rm(unfinished, { force: true });
    if (error instanceof TailwaterError) throw error;
    throw new TailwaterError('TW_SOURCE', { detail: `${path} cannot be written: ${(error as Error).message}`, cause: error });
  }
}
