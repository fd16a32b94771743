import { Command, CommanderError } from 'commander';
import type { CliContext } from './context.ts';
import { printError } from './output.ts';

/** Adds a command, with the options it shares with others and examples in its help. */
export type AddCommand = (program: Command, context: CliContext) => void;

/** Loaded when named: the engine takes most of a second to load, and a command that asks a server does not need it. */
const COMMANDS: Record<string, () => Promise<AddCommand>> = {
  start: async () => (await import('./commands/start.ts')).addStartCommand,
  worker: async () => (await import('./commands/start.ts')).addWorkerCommand,
  streams: async () => (await import('./commands/streams.ts')).addStreamsCommand,
  ingest: async () => (await import('./commands/ingest.ts')).addIngestCommand,
  tail: async () => (await import('./commands/tail.ts')).addTailCommand,
  query: async () => (await import('./commands/query.ts')).addQueryCommand,
  features: async () => (await import('./commands/features.ts')).addFeaturesCommand,
  context: async () => (await import('./commands/context.ts')).addContextCommand,
  mcp: async () => (await import('./commands/mcp.ts')).addMcpCommand,
  sql: async () => (await import('./commands/sql.ts')).addSqlCommand,
  eval: async () => (await import('./commands/eval.ts')).addEvalCommand,
  scan: async () => (await import('./commands/scan.ts')).addScanCommand,
  compact: async () => (await import('./commands/compact.ts')).addCompactCommand,
  backup: async () => (await import('./commands/backup.ts')).addBackupCommand,
  keys: async () => (await import('./commands/keys.ts')).addKeysCommand,
  tag: async () => (await import('./commands/tag.ts')).addTagCommand,
  collect: async () => (await import('./commands/collect.ts')).addCollectCommand,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctorCommand,
  inspect: async () => (await import('./commands/inspect.ts')).addInspectCommand,
};

/** Runs one command line; the exit code is 0, 1 (it failed) or 2 (it was not understood). */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  const program = await createProgram(args, context);
  try {
    delete context.foundExitCode;
    await program.parseAsync(args, { from: 'user' });
    return context.foundExitCode ?? 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    printError(context, error, args.includes('--json'));
    return 1;
  }
}

async function createProgram([name]: readonly string[], context: CliContext): Promise<Command> {
  const program = new Command('tailwater')
    .description('A real-time feature and context store: streams that are tables, searchable the moment they are written.')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: text => context.stdout.write(text),
      writeErr: text => context.stderr.write(text),
    })
    .showHelpAfterError('Run it with --help for what it takes.');
  const loaders = name !== undefined && Object.hasOwn(COMMANDS, name) ? [COMMANDS[name]] : Object.values(COMMANDS);
  for (const load of loaders) (await load())(program, context);
  return program;
}
