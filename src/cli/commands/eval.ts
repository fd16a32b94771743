import { writeFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { isTailwaterError, TailwaterError } from '../../base/index.ts';
import type { StreamInfo, TailwaterApi } from '../../server/index.ts';
import { parseCount } from '../arguments.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { evalSvg, mannerName } from '../eval/eval-plot.ts';
import { evaluate, type Manner, type MannerScores } from '../eval/evaluate.ts';
import { type JudgedQueries, type Places, placesOf, readCorpus, readJudged } from '../eval/read-judged.ts';
import { printJson, printLine, printTable } from '../output.ts';
import { type StatusLine, statusLine } from '../status-line.ts';

interface EvalOptions extends CommonOptions {
  stream: string;
  split: string;
  modes?: Manner['mode'][];
  weights: NonNullable<Manner['weights']>[];
  k: number;
  depth: number;
  limit?: number;
  plot?: string;
}

const MODES = ['text', 'vector', 'hybrid'] as const;
const ROWS_AT_ONCE = 500;

export function addEvalCommand(program: Command, context: CliContext): void {
  const command = program
    .command('eval')
    .description('measure how well a stream is searched, by queries and judgements')
    .argument('<queries>', "a folder in BEIR's layout, or a file of queries (JSON lines, or id and text by tab)")
    .argument('[qrels]', 'a file of judgements: query, document, relevance')
    .requiredOption('--stream <stream>', "the stream to search; a folder's corpus is put into it when there is none of that name")
    .option('--split <name>', 'which judgements of a folder', 'test')
    .option('--modes <names>', 'text, vector, hybrid, comma-separated (default: what the stream can)', parseModes)
    .option('--weights <pairs>', 'weights of text and vector in hybrid search to try, such as 1:1,2:1', parseWeights, [])
    .option('--k <ranks>', 'ranks that nDCG, MRR and tokens look at', parseCount, 10)
    .option('--depth <ranks>', 'ranks that recall looks at', parseCount, 100)
    .option('--limit <queries>', 'only the first so many queries', parseCount)
    .option('--plot <file.svg>', 'draw the scores')
    .action((queries: string, qrels: string | undefined, options: EvalOptions) => run(queries, qrels, options, context));
  addCommonOptions(command, context);
  addExamples(command, [
    'eval scifact --stream scifact --plot scifact.svg',
    'eval queries.jsonl qrels.tsv --stream docs --modes text,hybrid --weights 1:1,2:1,1:2 --json',
  ]);
}

function run(queries: string, qrels: string | undefined, options: EvalOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: qrels === undefined }, async ({ api }) => {
    const places = await placesOf(queries, qrels, options.split);
    const judged = limited(await readJudged(places), options.limit);
    if (judged.queries.length === 0)
      throw new TailwaterError('TW_SOURCE', { detail: `No query of ${places.queries} has a judgement in ${places.qrels}.` });
    const status = statusLine(context, options.json === true);
    try {
      const info = await streamOf(api, options.stream, places, status);
      const rows: MannerScores[] = [];
      for (const manner of mannersOf(info, options)) rows.push(await scoresOf(api, judged, manner, options, status));
      status.end();
      await show(rows, options, context);
    } finally {
      status.end();
    }
  });
}

function limited(judged: JudgedQueries, limit: number | undefined): JudgedQueries {
  return limit === undefined ? judged : { ...judged, queries: judged.queries.slice(0, limit) };
}

async function scoresOf(
  api: TailwaterApi,
  judged: JudgedQueries,
  manner: Manner,
  { stream, k, depth }: EvalOptions,
  status: StatusLine,
): Promise<MannerScores> {
  let asked = 0;
  const tell = (): void => status.show(`${mannerName(manner)}: ${++asked} of ${judged.queries.length} queries`);
  return evaluate(api, stream, judged, manner, { k, depth: Math.max(k, depth) }, tell);
}

/** The stream, or one that is made of the folder's corpus. */
async function streamOf(api: TailwaterApi, stream: string, { corpus }: Places, status: StatusLine): Promise<StreamInfo> {
  try {
    return await api.getStream(stream);
  } catch (error) {
    if (corpus === null || !isTailwaterError(error, 'TW_STREAM_NOT_FOUND')) throw error;
  }
  const fields = ['title', 'text'];
  await api.createStream(stream, { kind: 'upsert', key: 'id', search: { fields }, embed: { fields } });
  let count = 0;
  let rows: { value: { id: string; title: string; text: string } }[] = [];
  const write = async (): Promise<void> => {
    await api.append(stream, rows);
    count += rows.length;
    rows = [];
    status.show(`${stream}: ${count} documents written`);
  };
  for await (const value of readCorpus(corpus)) if (rows.push({ value }) === ROWS_AT_ONCE) await write();
  if (rows.length > 0) await write();
  await api.compact(stream, { full: true });
  return api.getStream(stream);
}

function mannersOf({ definition: { name, search, embed } }: StreamInfo, { modes, weights }: EvalOptions): Manner[] {
  const text = search !== null;
  const vector = embed !== null && embed.provider !== 'given';
  const can = MODES.filter(mode => (mode === 'text' ? text : mode === 'vector' ? vector : text && vector));
  const missing = modes?.find(mode => !can.includes(mode));
  if (can.length === 0 || missing !== undefined) {
    const wanted = missing === undefined ? 'text' : `mode "${missing}"`;
    throw new TailwaterError('TW_NOT_SEARCHABLE', {
      detail: `Stream "${name}" cannot be searched by ${wanted}; it can be by ${can.join(', ') || 'none'}.`,
    });
  }
  return (modes ?? can).flatMap((mode): Manner[] =>
    mode === 'hybrid' && weights.length > 0 ? weights.map(pair => ({ mode, weights: pair })) : [{ mode, weights: null }],
  );
}

async function show(rows: readonly MannerScores[], options: EvalOptions, context: CliContext): Promise<void> {
  const { stream, k, depth, plot, json } = options;
  if (plot !== undefined) await writeFile(plot, evalSvg(`${stream}: ${rows[0].queries} queries, at ${k}`, rows));
  if (json === true) return printJson(context, { stream, k, depth, manners: rows });
  const headings = ['MODE', `nDCG@${k}`, `recall@${depth}`, `MRR@${k}`, 'COMPLETE', `TOKENS@${k}`, 'p50 ms', 'p99 ms'];
  const cells = rows.map(row => [
    mannerName(row),
    row.ndcg.toFixed(4),
    row.recall.toFixed(4),
    row.mrr.toFixed(4),
    `${(row.complete * 100).toFixed(1)}%`,
    row.tokens.toFixed(0),
    row.p50Ms.toFixed(1),
    row.p99Ms.toFixed(1),
  ]);
  printTable(context, headings, cells);
  printLine(context, `${rows[0].queries} queries with a relevant document${plot === undefined ? '' : `; drawn in ${plot}`}.`);
}

function parseModes(text: string): Manner['mode'][] {
  const modes = text.split(',').map(name => MODES.find(mode => mode === name.trim()));
  if (modes.every(mode => mode !== undefined)) return modes;
  throw new InvalidArgumentError(`It must name some of ${MODES.join(', ')}, separated by commas.`);
}

function parseWeights(text: string): NonNullable<Manner['weights']>[] {
  return text.split(',').map(pair => {
    const match = /^(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)$/.exec(pair.trim());
    if (match === null) throw new InvalidArgumentError('It must be pairs such as 1:1,2:1: text, then vector.');
    return { text: Number(match[1]), vector: Number(match[2]) };
  });
}
