import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type JsonObject, TailwaterError } from '../../base/index.ts';
import type { ContextAnswer, ContextInclude, ContextRequest } from '../../context/index.ts';
import type { LiveAnswer } from '../../live/index.ts';
import type { LiveContextCall, TailwaterApi } from '../../server/index.ts';
import { parseCount, parseJsonObject } from '../arguments.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { showLive } from '../live-output.ts';
import { printJson, printLine } from '../output.ts';

interface AskOptions extends CommonOptions {
  subject?: string;
  features: string[];
  rows: string[];
  events: string[];
  documents: string[];
  budget?: number;
  asOf?: string;
  halfLife?: number;
  deadline?: number;
  name?: string;
  params?: JsonObject;
  live?: boolean;
  times?: number;
}

export function addContextCommand(program: Command, context: CliContext): void {
  const command = program.command('context').description('one answer for a prompt, from several streams at one instant');
  addAsk(command, context);
  const add = (sub: Command): Command => addCommonOptions(sub, context);
  add(command.command('list').description('every context definition')).action((options: CommonOptions) =>
    withTailwater(options, { create: false }, async ({ api }) => {
      const contexts = await api.contexts.list();
      if (options.json === true) printJson(context, contexts);
      else for (const { name, version, appliedAt } of contexts) printLine(context, `${name}  ${version}  ${appliedAt}`);
    }),
  );
  add(command.command('show').description('one definition').argument('<name>')).action((name: string, options: CommonOptions) =>
    withTailwater(options, { create: false }, async ({ api }) => printJson(context, await api.contexts.get(name))),
  );
  add(
    command.command('apply').description('define a context, or a new version').argument('<name>').argument('<file>', 'JSON'),
  ).action((name: string, file: string, options: CommonOptions) => applyFile(name, file, options, context));
  add(command.command('delete').description('remove a definition').argument('<name>')).action(
    (name: string, options: CommonOptions) =>
      withTailwater(options, { create: false }, async ({ api }) => {
        await api.contexts.remove(name);
        printLine(context, `Deleted context ${name}.`);
      }),
  );
  addExamples(command, [
    'context ask "why is my parcel late" --subject ann --events clicks:user --documents help --budget 2000',
    'context ask --name support --params \'{"user": "ann"}\'',
    'context apply support support.json',
  ]);
}

function addAsk(parent: Command, context: CliContext): void {
  const command = parent
    .command('ask', { isDefault: true })
    .description('assemble a context')
    .argument('[query...]', 'what is looked for in documents')
    .option('--subject <subject>', 'whom or what it is about')
    .option('--features <view>', 'values of a view for the subject; may be repeated', repeated, [])
    .option('--rows <stream>', 'the row of the subject; may be repeated', repeated, [])
    .option('--events <stream:field>', 'the newest records whose field is the subject; may be repeated', repeated, [])
    .option('--documents <stream>', 'what the query finds; may be repeated', repeated, [])
    .option('--budget <tokens>', 'what the text may take (default: 4000)', parseCount)
    .option('--as-of <time, token or tag:name>', 'the state at that moment')
    .option('--half-life <ms>', 'prefer recent items: their worth halves with this age', parseCount)
    .option('--deadline <ms>', 'a leg that is later than this is left out', parseCount)
    .option('--name <name>', 'call a definition instead of naming legs')
    .option('--params <json>', 'its parameters', parseJsonObject)
    .addOption(new Option('--live', 'with --name: show it again whenever it changes, until stopped').conflicts('asOf'))
    .option('--times <count>', 'with --live: stop after so many', parseCount)
    .action((query: string[], options: AskOptions) => ask(query.join(' '), options, context));
  addCommonOptions(command, context);
}

function ask(query: string, options: AskOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const { name } = options;
    if (options.live === true) return askLive(api, options, context);
    const answer =
      name === undefined
        ? await api.context(requestOf(query, options))
        : await api.contexts.call(name, { ...namedCall(options), ...callOptions(options) });
    if (options.json === true) printJson(context, answer);
    else printAnswer(context, answer);
  });
}

async function askLive({ live }: TailwaterApi, options: AskOptions, context: CliContext): Promise<void> {
  const { name, json, times } = options;
  if (name === undefined)
    throw new TailwaterError('TW_BAD_REQUEST', { detail: 'Only a context with a name is live: give --name.' });
  const show = (update: LiveAnswer<ContextAnswer>): void => {
    if (json === true) printJson(context, update);
    else printAnswer(context, update.answer);
  };
  await showLive(context, signal => live.context(name, namedCall(options), { signal }), show, times);
}

function namedCall({ params, budget }: AskOptions): LiveContextCall {
  return { ...(params === undefined ? {} : { params }), ...(budget === undefined ? {} : { budget: { tokens: budget } }) };
}

function requestOf(query: string, options: AskOptions): ContextRequest {
  const { subject, features, rows, events, documents, budget = 4000, halfLife } = options;
  const include: ContextInclude = {
    features: features.map(view => ({ view })),
    rows: rows.map(stream => ({ stream })),
    events: events.map(eventsOf),
    documents: documents.map(stream => ({ stream })),
  };
  return {
    include,
    budget: { tokens: budget },
    ...(query === '' ? {} : { query }),
    ...(subject === undefined ? {} : { subject }),
    ...(halfLife === undefined ? {} : { recency: { halfLifeMs: halfLife } }),
    ...callOptions(options),
  };
}

function callOptions({ asOf, deadline }: AskOptions): Pick<ContextRequest, 'consistency' | 'deadlineMs'> {
  return {
    ...(asOf === undefined ? {} : { consistency: { asOf } }),
    ...(deadline === undefined ? {} : { deadlineMs: deadline }),
  };
}

function eventsOf(text: string): { stream: string; subjectField?: string } {
  const at = text.indexOf(':');
  return at < 0 ? { stream: text } : { stream: text.slice(0, at), subjectField: text.slice(at + 1) };
}

function repeated(text: string, before: string[]): string[] {
  if (text === '') throw new InvalidArgumentError('It must be a name.');
  return [...before, text];
}

async function applyFile(name: string, file: string, options: CommonOptions, context: CliContext): Promise<void> {
  const text = await readFile(file, 'utf8').catch(cause => {
    throw new TailwaterError('TW_SOURCE', { detail: `${file} cannot be read.`, cause });
  });
  let definition: JsonObject;
  try {
    definition = JSON.parse(text);
  } catch (cause) {
    throw new TailwaterError('TW_MALFORMED_JSON', { detail: `${file} is not JSON: ${(cause as Error).message}`, cause });
  }
  await withTailwater(options, { create: true }, async ({ api }) => {
    const info = await api.contexts.apply(name, definition);
    if (options.json === true) printJson(context, info);
    else printLine(context, `Context ${name} is version ${info.version}.`);
  });
}

function printAnswer(context: CliContext, { text, tokens, items, dropped, freshness, token }: ContextAnswer): void {
  printLine(context, text);
  const counts = `${items.length} items, ${dropped.length} left out for the budget; ${tokens} tokens`;
  printLine(context, counts);
  for (const { leg, status, error, complete, tailRows } of freshness) {
    const state = status === 'failed' ? `failed: ${error!.code}` : complete ? 'complete' : 'incomplete';
    printLine(context, `${leg}: ${state}; ${tailRows} records of the tail considered`);
  }
  printLine(context, `The same again: --as-of ${token}`);
}
