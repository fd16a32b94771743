import { type Command, Option } from 'commander';
import type { JsonObject } from '../../base/index.ts';
import type { LiveAnswer } from '../../live/index.ts';
import type { QueryRequest, SearchMode } from '../../retrieval/index.ts';
import type { FollowEvent, QueryAnswer, TailwaterApi } from '../../server/index.ts';
import type { Freshness } from '../../snapshot/index.ts';
import { parseCount, parseFields, parseJsonObject, parseVector } from '../arguments.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { showLive } from '../live-output.ts';
import { duration, printJson, printLine, printTable } from '../output.ts';
import { printRecord } from './tail.ts';

interface QueryOptions extends CommonOptions {
  filter?: JsonObject;
  vector?: number[];
  mode?: SearchMode;
  limit: number;
  select?: string[];
  asOf?: string;
  atLeast?: string;
  maxStaleness?: number;
  halfLife?: number;
  live?: boolean;
  matches?: boolean;
  times?: number;
  from?: string;
}

export function addQueryCommand(program: Command, context: CliContext): void {
  const command = program
    .command('query')
    .description('search a stream; without a text, its newest rows')
    .argument('<stream>')
    .argument('[text...]', 'what to look for')
    .option('--filter <json>', 'only rows that match, such as \'{"status": "open", "price": {"$gt": 10}}\'', parseJsonObject)
    .addOption(
      new Option('--mode <mode>', 'how to search (default: hybrid where possible)').choices([
        'vector',
        'text',
        'hybrid',
        'filter',
      ]),
    )
    .option('--vector <json>', 'a query vector, as a JSON array', parseVector)
    .option('--limit <count>', 'hits to return', parseCount, 10)
    .option('--select <fields>', 'fields to return, comma-separated', parseFields)
    .option('--half-life <ms>', 'prefer recent rows: the score halves with this age', parseCount)
    .addOption(new Option('--as-of <time, token or tag:name>', 'the state at that moment').conflicts(['atLeast', 'maxStaleness']))
    .addOption(new Option('--at-least <token>', 'include everything this token names').conflicts('maxStaleness'))
    .option('--max-staleness <ms>', 'accept an answer this old', parseCount)
    .addOption(
      new Option('--live', 'show the answer again whenever it changes, until stopped').conflicts([
        'asOf',
        'atLeast',
        'maxStaleness',
      ]),
    )
    .addOption(new Option('--matches', 'show every new record that matches, until stopped').conflicts('live'))
    .option(
      '--from <position>',
      'with --matches: begin at earliest, an offset, time:<ISO 8601> or event:<ISO 8601> (default: now)',
    )
    .option('--times <count>', 'with --live or --matches: stop after so many', parseCount)
    .action((name: string, text: string[], options: QueryOptions) => query(name, text.join(' '), options, context));
  addCommonOptions(command, context);
  addExamples(command, [
    'query tickets "parcel never arrived"',
    'query tickets refund --filter \'{"status": "open"}\' --limit 5 --select subject,status',
    'query tickets --filter \'{"status": "open"}\' --live',
    'query logs timeout --filter \'{"level": "error"}\' --matches',
    'query orders --as-of 2026-01-31T12:00:00Z --json',
  ]);
}

function query(name: string, text: string, options: QueryOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api, reader }) => {
    if (options.live === true) return showAnswers(api, name, requestOf(text, options), options, context);
    if (options.matches === true) return showMatches(api, name, text, options, context);
    const answer = await reader.query(name, requestOf(text, options));
    if (options.json === true) printJson(context, answer);
    else printAnswer(context, answer);
  });
}

function showAnswers(
  { live }: TailwaterApi,
  name: string,
  request: QueryRequest,
  { json, times }: QueryOptions,
  context: CliContext,
): Promise<void> {
  const show = (update: LiveAnswer<QueryAnswer>): void => {
    if (json === true) printJson(context, update);
    else printUpdate(context, update);
  };
  return showLive(context, signal => live.query(name, request, { signal }), show, times);
}

function showMatches(
  { live }: TailwaterApi,
  name: string,
  text: string,
  options: QueryOptions,
  context: CliContext,
): Promise<void> {
  const { filter, times, from } = options;
  const start = from === undefined ? {} : { from };
  const request = { ...(text === '' ? {} : { text }), ...(filter === undefined ? {} : { filter }) };
  const show = ({ record }: FollowEvent): void => printRecord(record, options, context);
  return showLive(context, signal => live.matches(name, request, { ...start, signal }), show, times);
}

function printUpdate(context: CliContext, { answer, difference }: LiveAnswer<QueryAnswer>): void {
  printAnswer(context, answer);
  if (difference === null) return;
  const parts = Object.entries(difference).filter(([, ids]) => ids.length > 0);
  printLine(context, parts.length === 0 ? 'another order' : parts.map(([what, ids]) => `${what}: ${ids.join(', ')}`).join('; '));
}

function requestOf(text: string, options: QueryOptions): QueryRequest {
  const { filter, vector, mode, limit, select, asOf, atLeast, maxStaleness, halfLife } = options;
  const consistency = {
    ...(asOf === undefined ? {} : { asOf }),
    ...(atLeast === undefined ? {} : { atLeast }),
    ...(maxStaleness === undefined ? {} : { maxStalenessMs: maxStaleness }),
  };
  return {
    limit,
    ...(text === '' ? {} : { text }),
    ...(filter === undefined ? {} : { filter }),
    ...(vector === undefined ? {} : { vector }),
    ...(mode === undefined ? {} : { mode }),
    ...(select === undefined ? {} : { select }),
    ...(halfLife === undefined ? {} : { recency: { halfLifeMs: halfLife } }),
    ...(Object.keys(consistency).length === 0 ? {} : { consistency }),
  };
}

function printAnswer(context: CliContext, { hits, freshness }: QueryAnswer): void {
  const rows = hits.map(({ score, tier, ageMs, id, value }, index) => [
    String(index + 1),
    score.toFixed(4),
    tier,
    duration(ageMs),
    id,
    JSON.stringify(value),
  ]);
  if (hits.length > 0) printTable(context, ['#', 'SCORE', 'TIER', 'AGE', 'ID', 'VALUE'], rows);
  printLine(context, `${hits.length === 1 ? '1 hit' : `${hits.length} hits`}; ${freshnessText(freshness)}`);
}

function freshnessText({ complete, tailRows, newestAgeMs, asOf, skipped }: Freshness): string {
  const parts = [
    complete ? 'complete' : 'incomplete',
    `as of ${asOf}`,
    `${tailRows} records of the tail considered`,
    ...(newestAgeMs === null ? [] : [`newest ${duration(newestAgeMs)} old`]),
    ...skipped.map(({ leg, reason }) => `${leg}: ${reason}`),
  ];
  return parts.join('; ');
}
