import type { Command } from 'commander';
import type { CliContext } from './context.ts';

export const DEFAULT_DATA_DIR = '.tailwater';

/** The options that every command understands. */
export function addCommonOptions(command: Command, { env }: CliContext, { server = true } = {}): Command {
  command.option('--data <folder>', 'the data folder', env.TAILWATER_DATA_DIR ?? DEFAULT_DATA_DIR);
  command.setOptionValueWithSource('apiKey', env.TAILWATER_API_KEY, 'env');
  if (server) command.option('--url <url>', 'a server to talk to; default: the one that runs on the data folder, if any');
  return command.option('--json', 'print JSON');
}

export function addExamples(command: Command, examples: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${examples.map(example => `  $ tailwater ${example}`).join('\n')}`);
}
