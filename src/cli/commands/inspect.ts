import type { Command } from 'commander';
import { TailwaterError } from '../../base/index.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { requireFolder } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { inspectFolder } from '../inspect/inspect-folder.ts';
import type { FolderReport } from '../inspect/report.ts';
import { bytesText, printJson, printLine, printTable } from '../output.ts';

export function addInspectCommand(program: Command, context: CliContext): void {
  const command = program
    .command('inspect')
    .description('look through a data folder and check every checksum; changes nothing, and works while a server runs on it')
    .action((options: CommonOptions) => inspect(options, context));
  addCommonOptions(command, context, { server: false });
  addExamples(command, ['inspect', 'inspect --data ./shop --json']);
}

/** Damage is the command's failure, after everything has been shown. */
async function inspect(options: CommonOptions, context: CliContext): Promise<void> {
  requireFolder(options.data);
  const report = await inspectFolder(options.data);
  if (options.json === true) printJson(context, report);
  else printReport(report, context);
  if (report.damaged.length === 0) return;
  throw new TailwaterError('TW_DATA_DAMAGED', {
    detail: `${report.damaged.length} parts of ${options.data} cannot be read; the first is ${report.damaged[0].part}.`,
  });
}

function printReport({ folder, formatVersion, server, log, objects, streams, damaged }: FolderReport, context: CliContext): void {
  const span = log.firstCommit === null ? '' : `, ${log.firstCommit} to ${log.lastCommit}`;
  printLine(context, `Data folder ${folder}, format ${formatVersion ?? 'unknown'}`);
  printLine(context, server === null ? 'Server: none runs' : `Server: ${server.url} (process ${server.pid})`);
  printLine(
    context,
    `Log: segments ${log.floor} to ${log.head}, ${log.records} records, ${bytesText(log.bytes)} in ${log.files.length} files${span}`,
  );
  for (const { name, bytes } of log.torn) printLine(context, `Torn end, kept: ${name}, ${bytesText(bytes)}`);
  printLine(context, `Objects: ${objects.count}, ${bytesText(objects.bytes)}, checksums verified`);
  if (streams.length > 0) {
    const rows = streams.map(({ name, kind, partitions, logRecords, table }) => [
      name,
      kind,
      String(partitions),
      String(logRecords),
      table === null ? '-' : `${table.state} (${table.kind})`,
      table === null ? '-' : String(table.rows),
      table === null ? '-' : table.watermark.join(','),
    ]);
    printLine(context, '');
    printTable(context, ['STREAM', 'KIND', 'PARTITIONS', 'IN LOG', 'TABLE STATE', 'TABLE ROWS', 'WATERMARK'], rows);
  }
  if (damaged.length > 0) printLine(context, '');
  for (const { part, code, detail } of damaged) printLine(context, `DAMAGED ${part}: ${code}: ${detail}`);
}
