import type { Command } from 'commander';
import { TailwaterError } from '../../base/index.ts';
import type { CollectionReport, S3Storage } from '../../server/index.ts';
import { collectionLines } from '../collection-lines.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { requireFolder, withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { checkFolder, checkPlace, type DoctorReport } from '../doctor/check-place.ts';
import { deploymentPlace, withScratchCache } from '../doctor/place.ts';
import { bytesText, printJson, printLine } from '../output.ts';
import { addStorageOptions, type SettingOptions, storageOf } from '../setting-options.ts';
import { statusLine } from '../status-line.ts';

type DoctorOptions = CommonOptions & SettingOptions & { repair?: boolean };

const MAX_ORPHANS_SHOWN = 10;

export function addDoctorCommand(program: Command, context: CliContext): void {
  const command = program
    .command('doctor')
    .description(
      'verify a data folder, or a deployment on S3: every checksum, every journal, every row of every table against its log; changes nothing',
    )
    .option('--repair', 'delete orphans of a data folder, when nothing else is wrong')
    .action((options: DoctorOptions) => doctor(options, command, context));
  addCommonOptions(command, context, { server: false });
  addStorageOptions(command);
  addExamples(command, ['doctor', 'doctor --repair', 'doctor --data ./shop --json', 'doctor --storage s3://lake/shop']);
}

/** What is wrong is the command's failure, after everything has been shown. */
async function doctor(options: DoctorOptions, command: Command, context: CliContext): Promise<void> {
  const storage = await storageOf(options, command, context);
  if (storage === null) requireFolder(options.data);
  else if (options.repair === true) throw repairsFolders();
  const status = statusLine(context, options.json === true);
  let report: DoctorReport;
  try {
    const progress = (text: string): void => status.show(text);
    report = await (storage === null ? checkFolder(options.data, progress) : checkDeployment(storage, progress));
  } finally {
    status.end();
  }
  const repaired = options.repair === true && report.findings.length === 0 ? await repair(options) : null;
  if (options.json === true) printJson(context, { ...report, repaired });
  else printReport(report, repaired, context);
  if (report.findings.length === 0) return;
  throw new TailwaterError('TW_DATA_DAMAGED', {
    detail: `${report.findings.length} things are wrong in ${report.folder}; the first: ${report.findings[0].part}.`,
  });
}

async function checkDeployment(storage: S3Storage, progress: (text: string) => void): Promise<DoctorReport> {
  return withScratchCache(storage, async scratch => {
    await using place = await deploymentPlace(scratch);
    return await checkPlace(place, progress);
  });
}

function repairsFolders(): TailwaterError {
  return new TailwaterError('TW_SETTING', {
    detail: 'On S3 a node deletes orphans: leave --repair out, and run `tailwater collect --url` with the address of a node.',
    data: { setting: 'repair' },
  });
}

async function repair(options: DoctorOptions): Promise<CollectionReport | null> {
  let report: CollectionReport | null = null;
  await withTailwater(options, { create: false }, async ({ api }) => {
    report = await api.collect({ orphansOnly: true });
  });
  return report;
}

function printReport(report: DoctorReport, repaired: CollectionReport | null, context: CliContext): void {
  const { folder, formatVersion, server, log, objects, streams, findings } = report;
  printLine(
    context,
    `${folder.startsWith('s3://') ? 'Deployment' : 'Data folder'} ${folder}, format ${formatVersion ?? 'unknown'}${server === null ? '' : `, served at ${server.url}`}`,
  );
  printLine(context, `Log: segments ${log.floor} to ${log.head}, ${log.records} records, ${bytesText(log.bytes)}`);
  for (const { name, bytes } of log.torn)
    printLine(context, `  torn end, kept: ${name}, ${bytesText(bytes)}; nothing acknowledged is in it`);
  printLine(context, `Objects: ${objects.count}, ${bytesText(objects.bytes)}`);
  for (const { name, states, rows, changes } of streams) {
    const table =
      states.newest === 0 ? 'no table' : `states ${states.floor} to ${states.newest}, ${rows} rows, ${changes} superseded`;
    printLine(context, `Stream ${name}: ${table}`);
  }
  for (const { part, code, detail, assume, todo } of findings) {
    printLine(context, `\nWRONG  ${part}: ${code}: ${detail}`);
    printLine(context, `  safe to assume: ${assume}`);
    printLine(context, `  to do: ${todo}`);
  }
  printOrphans(report, repaired, context);
  printOtherEngines(report.otherEngines, context);
  if (findings.length === 0) printLine(context, 'Everything is as it should be.');
}

function printOtherEngines({ recent, warehouse }: DoctorReport['otherEngines'], context: CliContext): void {
  const { tables, unclaimed } = warehouse;
  if (tables > 0) printLine(context, `Tables of other engines: ${tables}`);
  if (recent.length > 0) {
    printLine(
      context,
      `\nWritten by other engines, in the folders of streams' tables: ${recent.length}; perhaps of a commit under way, and kept.`,
    );
    printSome(recent, context);
  }
  if (unclaimed.length === 0) return;
  printLine(
    context,
    `\nBelow the warehouse, of no table: ${unclaimed.length} folders, of tables that were dropped or are being created. Kept: only their owner knows.`,
  );
  printSome(
    unclaimed.map(({ folder, files, bytes }) => `${folder}: ${files} files, ${bytesText(bytes)}`),
    context,
  );
}

function printSome(lines: readonly string[], context: CliContext): void {
  for (const line of lines.slice(0, MAX_ORPHANS_SHOWN)) printLine(context, `  ${line}`);
  if (lines.length > MAX_ORPHANS_SHOWN) printLine(context, `  and ${lines.length - MAX_ORPHANS_SHOWN} more`);
}

function printOrphans({ orphans, findings }: DoctorReport, repaired: CollectionReport | null, context: CliContext): void {
  if (orphans.length > 0) {
    printLine(context, `\nOrphans: ${orphans.length}; nothing names them, and they do no harm.`);
    printSome(orphans, context);
    if (findings.length > 0) printLine(context, '  Nothing is deleted while something is wrong.');
    else if (repaired === null) printLine(context, '  --repair deletes them; a thorough collection does so as well.');
  }
  if (repaired !== null) for (const line of collectionLines(repaired)) printLine(context, line);
}
