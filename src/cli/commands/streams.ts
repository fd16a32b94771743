import type { Command } from 'commander';
import type { StreamInfo } from '../../server/index.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { bytesText, printJson, printLine, printTable } from '../output.ts';
import {
  addChangeOptions,
  addStreamOptions,
  type ChangeOptions,
  type StreamOptions,
  streamChanges,
  streamSettings,
} from '../stream-options.ts';

export function addStreamsCommand(program: Command, context: CliContext): void {
  const streams = program.command('streams').description('list, show, create, change and delete streams');
  const list = streams.command('list', { isDefault: true }).description('every stream, with what it holds');
  addCommonOptions(list, context).action((options: CommonOptions) => listStreams(options, context));
  const show = streams.command('show').description('one stream: its definition, offsets and columns').argument('<stream>');
  addCommonOptions(show, context).action((name: string, options: CommonOptions) => showStream(name, options, context));
  const create = addStreamOptions(streams.command('create').description('create a stream').argument('<stream>'));
  addCommonOptions(create, context).action((name: string, options: StreamOptions & CommonOptions) =>
    createStream(name, options, context),
  );
  const change = addChangeOptions(
    streams.command('change').description('change what a stream keeps; its data stays').argument('<stream>'),
  );
  addCommonOptions(change, context).action((name: string, options: ChangeOptions & CommonOptions) =>
    changeStream(name, options, context),
  );
  const remove = streams.command('delete').description('delete a stream and its data').argument('<stream>');
  addCommonOptions(remove, context).action((name: string, options: CommonOptions) => deleteStream(name, options, context));
  addExamples(streams, [
    'streams',
    'streams create tickets --key id --time opened_at --search subject,body --embed subject,body',
    'streams show tickets --json',
    'streams change tickets --retention P30D,10GiB --history default',
    'streams delete tickets',
  ]);
}

function listStreams(options: CommonOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const streams = await api.listStreams();
    if (options.json === true) {
      printJson(context, streams);
      return;
    }
    if (streams.length === 0)
      return printLine(context, 'There are no streams yet. Create one with `tailwater streams create`, or ingest a file.');
    const rows = streams.map(({ definition, rows: count, lag, tailBytes }) => [
      definition.name,
      definition.kind,
      String(definition.partitions),
      String(count),
      String(lag),
      bytesText(tailBytes),
    ]);
    printTable(context, ['STREAM', 'KIND', 'PARTITIONS', 'ROWS', 'NOT IN TABLE', 'TAIL'], rows);
  });
}

function showStream(name: string, options: CommonOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => printStream(await api.getStream(name), options, context));
}

function createStream(name: string, options: StreamOptions & CommonOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: true }, async ({ api }) =>
    printStream(await api.createStream(name, streamSettings(options)), options, context),
  );
}

function changeStream(name: string, options: ChangeOptions & CommonOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) =>
    printStream(await api.changeStream(name, streamChanges(options)), options, context),
  );
}

function deleteStream(name: string, options: CommonOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    await api.deleteStream(name);
    if (options.json === true) printJson(context, { deleted: name });
    else printLine(context, `Deleted ${name}.`);
  });
}

function printStream(info: StreamInfo, options: CommonOptions, context: CliContext): void {
  if (options.json === true) {
    printJson(context, info);
    return;
  }
  const { definition, head, watermark, rows, lag, tailBytes, fields } = info;
  const { name, kind, key, time, embed, search, documents } = definition;
  const facts: [string, string][] = [
    ['stream', `${name} (${kind}, incarnation ${definition.incarnation})`],
    ['key', key === null ? 'none' : key.join(', ')],
    ['event time', time === null ? 'time of arrival' : `${time.field} (${time.unit})`],
    [
      'embedding',
      embed === null ? 'none' : `${embed.fields.join(', ')} by ${embed.provider} ${embed.model}, ${embed.dimensions} dimensions`,
    ],
    ['text search', search === null ? 'none' : search.fields.join(', ')],
    ...(documents === undefined
      ? []
      : ([['documents', `in chunks of ${documents.chunkTokens} tokens, ${documents.overlapTokens} of them repeated`]] as [
          string,
          string,
        ][])),
    ['rows', `${rows}; ${lag} not in the table yet (${bytesText(tailBytes)})`],
    ['head', head.join(', ')],
    ['watermark', watermark.join(', ')],
    ['columns', fields.length === 0 ? 'none yet' : fields.map(field => `${field.name} ${field.type}`).join(', ')],
  ];
  for (const [label, text] of facts) printLine(context, `${`${label}:`.padEnd(13)}${text}`);
}
