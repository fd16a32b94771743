import type { Command } from 'commander';
import type { TagInfo } from '../../server/index.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { printJson, printLine, printTable } from '../output.ts';

interface CreateOptions extends CommonOptions {
  asOf?: string;
}

export function addTagCommand(program: Command, context: CliContext): void {
  const tag = program.command('tag').description('name instants of streams, and keep them');
  const create = tag
    .command('create')
    .description('keep what a stream holds now, or held at an earlier instant')
    .argument('<stream>')
    .argument('<name>')
    .option('--as-of <time or token>', 'an earlier instant, of which a table state holds everything')
    .action((stream: string, name: string, options: CreateOptions) => createTag(stream, name, options, context));
  const list = tag.command('list').description('the tags of a stream').argument('<stream>');
  list.action((stream: string, options: CommonOptions) => listTags(stream, options, context));
  const remove = tag.command('delete').description('keep an instant no longer').argument('<stream>').argument('<name>');
  remove.action((stream: string, name: string, options: CommonOptions) => deleteTag(stream, name, options, context));
  for (const command of [create, list, remove]) addCommonOptions(command, context);
  addExamples(tag, [
    'tag create tickets before-import',
    'tag list tickets',
    'query tickets refund --as-of tag:before-import',
    'tag delete tickets before-import',
  ]);
}

function createTag(stream: string, name: string, { asOf, ...options }: CreateOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const tag = await api.createTag(stream, name, asOf === undefined ? {} : { asOf });
    if (options.json === true) printJson(context, tag);
    else for (const line of tagLines(tag)) printLine(context, line);
  });
}

/** With what another Lance client needs to open the same version. */
function tagLines({ stream, name, asOf, rows, token, datasets }: TagInfo): string[] {
  return [
    `Tagged ${stream} as ${name}: ${rows} rows, as of ${asOf}.`,
    `token:    ${token}`,
    `rows:     ${datasets.rows.path}, version ${datasets.rows.version}`,
    ...(datasets.changes === null ? [] : [`changes:  ${datasets.changes.path}, version ${datasets.changes.version}`]),
  ];
}

function listTags(stream: string, options: CommonOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const tags = await api.listTags(stream);
    if (options.json === true) {
      printJson(context, tags);
      return;
    }
    if (tags.length === 0) return printLine(context, `${stream} has no tags. Create one with \`tailwater tag create\`.`);
    const rows = tags.map(({ name, asOf, rows: count, datasets: { rows: dataset } }) => [
      name,
      asOf,
      String(count),
      String(dataset.version),
      dataset.path,
    ]);
    printTable(context, ['TAG', 'AS OF', 'ROWS', 'VERSION', 'DATASET'], rows);
  });
}

function deleteTag(stream: string, name: string, options: CommonOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    await api.deleteTag(stream, name);
    if (options.json === true) printJson(context, { deleted: name });
    else printLine(context, `Deleted tag ${name} of ${stream}.`);
  });
}
