import type { Command } from 'commander';
import { systemClock } from '../../base/index.ts';
import { backupFolder } from '../backup/backup-folder.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { requireFolder } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { bytesText, printJson, printLine } from '../output.ts';
import { statusLine } from '../status-line.ts';

export function addBackupCommand(program: Command, context: CliContext): void {
  const command = program
    .command('backup')
    .description('copy a data folder, also under a running server, and verify the copy; to restore it, start a server on it')
    .argument('<target>', 'a folder that does not exist yet')
    .action((target: string, options: CommonOptions) => backup(target, options, context));
  addCommonOptions(command, context, { server: false });
  addExamples(command, [
    'backup ./backups/monday',
    'backup --data ./shop /mnt/backups/shop --json',
    'start --data ./backups/monday',
  ]);
}

async function backup(target: string, options: CommonOptions, context: CliContext): Promise<void> {
  requireFolder(options.data);
  const status = statusLine(context, options.json === true);
  const startedMs = systemClock.nowMs();
  const report = await backupFolder(options.data, target, {
    clock: systemClock,
    progress: text => status.show(text),
  }).finally(() => status.end());
  const seconds = (systemClock.nowMs() - startedMs) / 1000;
  if (options.json === true) return printJson(context, { ...report, seconds });
  printLine(
    context,
    `Backed up ${options.data} to ${report.target}: ${report.files} files, ${bytesText(report.bytes)}, the log up to segment ${report.head}. Verified.`,
  );
}
