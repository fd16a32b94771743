import type { Command } from 'commander';
import { collectionLines } from '../collection-lines.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { printJson, printLine } from '../output.ts';

interface CollectCommandOptions extends CommonOptions {
  dryRun?: boolean;
}

export function addCollectCommand(program: Command, context: CliContext): void {
  const command = program
    .command('collect')
    .description('delete what nothing needs any more; a server does so by itself, now and then')
    .option('--dry-run', 'say what would go, and change nothing')
    .action((options: CollectCommandOptions) => collect(options, context));
  addCommonOptions(command, context);
  addExamples(command, ['collect --dry-run', 'collect --data ./shop --json']);
}

function collect(options: CollectCommandOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const dryRun = options.dryRun === true;
    const report = await api.collect({ dryRun, thorough: true });
    if (options.json === true) printJson(context, report);
    else for (const line of collectionLines(report)) printLine(context, line);
  });
}
