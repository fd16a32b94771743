import { type Command, Option } from 'commander';
import { type AccessKeyInput, SCOPES } from '../../server/index.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { printJson, printLine, printTable } from '../output.ts';

interface CreateOptions extends CommonOptions {
  scope?: AccessKeyInput['scopes'];
  stream?: string[];
  expires?: string;
}

export function addKeysCommand(program: Command, context: CliContext): void {
  const keys = program.command('keys').description('who may use a server that asks for keys');
  const create = keys
    .command('create')
    .description('make a key; it is shown this once')
    .argument('<name>', 'what it is for')
    .addOption(new Option('--scope <scopes...>', 'what it may do (default: read)').choices(SCOPES))
    .option('--stream <prefixes...>', 'limit it to streams whose names begin so')
    .option('--expires <time>', 'when it ends, such as 2027-01-31T00:00:00Z; default: never')
    .action((name: string, options: CreateOptions) => createKey(name, options, context));
  const list = keys.command('list').description('all keys, without what makes them work');
  list.action((options: CommonOptions) => listKeys(options, context));
  const remove = keys.command('delete').description('refuse a key from now on').argument('<id>');
  remove.action((id: string, options: CommonOptions) => deleteKey(id, options, context));
  for (const command of [create, list, remove]) addCommonOptions(command, context);
  addExamples(keys, [
    'keys create dashboards',
    'keys create importer --scope read write --stream orders. clicks.',
    'keys create agent --scope read write --expires 2027-01-31T00:00:00Z',
    'keys delete 4f0c9d2k7mzw1x8a',
  ]);
}

function createKey(name: string, { scope, stream, expires, ...options }: CreateOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: true }, async ({ api }) => {
    const made = await api.keys.create({
      name,
      ...(scope && { scopes: scope }),
      ...(stream && { streams: stream }),
      ...(expires !== undefined && { expiresAt: expires }),
    });
    if (options.json === true) return printJson(context, made);
    printLine(context, made.key);
    printLine(
      { ...context, stdout: context.stderr },
      `Key ${made.id} (${made.scopes.join(', ')}). Keep it now: it is not shown again.`,
    );
  });
}

function listKeys(options: CommonOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const keys = await api.keys.list();
    if (options.json === true) return printJson(context, keys);
    if (keys.length === 0) return printLine(context, 'There are no keys. Make one with `tailwater keys create`.');
    const rows = keys.map(({ id, name, scopes, streams, createdAt, expiresAt }) => [
      id,
      name,
      scopes.join(' '),
      streams === null ? 'all' : streams.map(prefix => `${prefix}*`).join(' '),
      createdAt,
      expiresAt ?? 'never',
    ]);
    printTable(context, ['ID', 'NAME', 'SCOPES', 'STREAMS', 'CREATED', 'EXPIRES'], rows);
  });
}

function deleteKey(id: string, options: CommonOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    await api.keys.remove(id);
    if (options.json === true) printJson(context, { deleted: id });
    else printLine(context, `Deleted key ${id}.`);
  });
}
