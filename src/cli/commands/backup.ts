import type { Command } from 'commander';
import { systemClock } from '../../base/index.ts';
import { backupDeployment } from '../backup/backup-deployment.ts';
import { backupFolder } from '../backup/backup-folder.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { requireFolder } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { bytesText, printJson, printLine } from '../output.ts';
import { addStorageOptions, type SettingOptions, storageOf } from '../setting-options.ts';
import { statusLine } from '../status-line.ts';

type BackupOptions = CommonOptions & SettingOptions;

export function addBackupCommand(program: Command, context: CliContext): void {
  const command = program
    .command('backup')
    .description(
      'copy a data folder, or a deployment on S3 object by object, also under running servers, and verify the copy; to restore a folder, start a server on it',
    )
    .argument('<target>', 'a folder that does not exist yet')
    .action((target: string, options: BackupOptions) => backup(target, options, command, context));
  addCommonOptions(command, context, { server: false });
  addStorageOptions(command);
  addExamples(command, [
    'backup ./backups/monday',
    'backup --data ./shop /mnt/backups/shop --json',
    'start --data ./backups/monday',
    'backup --storage s3://lake/shop /mnt/backups/lake',
  ]);
}

async function backup(target: string, options: BackupOptions, command: Command, context: CliContext): Promise<void> {
  const storage = await storageOf(options, command, context);
  if (storage === null) requireFolder(options.data);
  const status = statusLine(context, options.json === true);
  const startedMs = systemClock.nowMs();
  const how = { clock: systemClock, progress: (text: string) => status.show(text) };
  const copied = storage === null ? backupFolder(options.data, target, how) : backupDeployment(storage, target, how);
  const report = await copied.finally(() => status.end());
  const seconds = (systemClock.nowMs() - startedMs) / 1000;
  if (options.json === true) return printJson(context, { ...report, seconds });
  printLine(
    context,
    `Backed up ${storage === null ? options.data : `s3://${storage.s3.bucket}/${storage.s3.prefix}`} to ${report.target}: ${report.files} files, ${bytesText(report.bytes)}, the log up to segment ${report.head}. Verified.`,
  );
}
