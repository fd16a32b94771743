import { Command, CommanderError } from 'commander';
import { addCompactCommand } from './commands/compact.ts';
import { addIngestCommand } from './commands/ingest.ts';
import { addInspectCommand } from './commands/inspect.ts';
import { addQueryCommand } from './commands/query.ts';
import { addStartCommand } from './commands/start.ts';
import { addStreamsCommand } from './commands/streams.ts';
import { addTailCommand } from './commands/tail.ts';
import type { CliContext } from './context.ts';
import { printError } from './output.ts';

/** Adds a command; every one gets the common options and examples in its help. */
export type AddCommand = (program: Command, context: CliContext) => void;

const COMMANDS: AddCommand[] = [
  addStartCommand,
  addStreamsCommand,
  addIngestCommand,
  addTailCommand,
  addQueryCommand,
  addCompactCommand,
  addInspectCommand,
];

/** Runs one command line; the exit code is 0, 1 (it failed) or 2 (it was not understood). */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  const program = createProgram(context);
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    printError(context, error, args.includes('--json'));
    return 1;
  }
}

function createProgram(context: CliContext): Command {
  const program = new Command('tailwater')
    .description('A real-time feature and context store: streams that are tables, searchable the moment they are written.')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: text => context.stdout.write(text),
      writeErr: text => context.stderr.write(text),
    })
    .showHelpAfterError('Run it with --help for what it takes.');
  for (const add of COMMANDS) add(program, context);
  return program;
}
