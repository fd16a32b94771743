import type { Command } from 'commander';
import { addCommonOptions, addExamples } from '../common.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { printJson, printLine } from '../output.ts';

interface CompactOptions extends CommonOptions {
  full?: boolean;
}

export function addCompactCommand(program: Command, context: CliContext): void {
  const command = program
    .command('compact')
    .description('move what a stream acknowledged so far into its table')
    .argument('<stream>')
    .option('--full', 'also bring every index up to date')
    .action((name: string, options: CompactOptions) => compact(name, options, context));
  addCommonOptions(command, context);
  addExamples(command, ['compact tickets', 'compact tickets --full --json']);
}

function compact(name: string, options: CompactOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const { state, ...info } = await api.compact(name, options.full === true ? { full: true } : {});
    if (options.json === true) {
      printJson(context, { ...info, state });
      return;
    }
    if (state === null) {
      printLine(context, `${name} has no records, so it has no table yet.`);
      return;
    }
    printLine(
      context,
      `${name}: ${state.rowCount} rows, ${state.changeCount} superseded, table state ${state.n} (${state.kind}).`,
    );
  });
}
