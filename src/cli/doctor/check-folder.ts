import { systemRandom } from '../../base/index.ts';
import { ObjectJournal, verifyObjectJournal } from '../../journal/index.ts';
import { LocalTableFiles, type TableFiles, verifyWarehouse, type WarehouseFacts } from '../../lakehouse/index.ts';
import { pathsOf, previewCollection } from '../../server/index.ts';
import { FileObjectStore, nodeFileSystem, type ObjectStore } from '../../storage/index.ts';
import { checkCatalogEntry, LogVerification, readCatalog } from '../../streams/index.ts';
import { Damages } from '../inspect/damages.ts';
import { readFormat } from '../inspect/inspect-folder.ts';
import { inspectLog } from '../inspect/inspect-log.ts';
import { inspectObjects } from '../inspect/inspect-tables.ts';
import type { LogReport } from '../inspect/report.ts';
import { findServer } from '../server-note.ts';
import { checkStream, type StreamCheck } from './check-stream.ts';
import { type Finding, Findings } from './findings.ts';

export interface DoctorReport {
  folder: string;
  formatVersion: number | null;
  server: { url: string; pid: number } | null;
  log: Pick<LogReport, 'floor' | 'head' | 'segments' | 'records' | 'bytes' | 'torn'>;
  objects: { count: number; bytes: number };
  streams: StreamCheck[];
  findings: Finding[];
  /** What nothing names and the next collection deletes. */
  orphans: string[];
  /** What other engines wrote; none of it is deleted. */
  otherEngines: OtherEnginesReport;
}

export interface OtherEnginesReport {
  /** In the folders of streams' tables: too young to be called orphans, since they may be of a commit that is under way. */
  recent: string[];
  /** The tables that they keep, and files below the warehouse that are of none. */
  warehouse: WarehouseFacts;
}

/** Verifies everything in a data folder against everything else. Changes and locks nothing, so that a server may run on it. */
export async function checkFolder(folder: string, progress: (text: string) => void): Promise<DoctorReport> {
  const paths = pathsOf(folder);
  const findings = new Findings();
  const formatVersion = await checkFormat(paths.format, findings);
  const verification = new LogVerification();
  const log = await checkLog(paths.log, verification, findings, progress);
  const store = new FileObjectStore(nodeFileSystem, paths.objects, systemRandom);
  progress('Checksums of objects');
  const damages = new Damages();
  const objects = await inspectObjects(store, damages);
  findings.addDamages('objects', damages.list);
  progress('Catalog');
  const definitions = await checkCatalog(store, findings);
  const streams: StreamCheck[] = [];
  for (const definition of definitions) {
    streams.push(await checkStream({ store, folder, definition, verification, findings, progress }));
  }
  progress('Orphans');
  const preview = await findings.of('collector', 'orphans', () => previewCollection(folder));
  for (const problem of preview?.problems ?? []) findings.addText('collector', 'orphans', problem);
  const orphans = preview?.orphans ?? [];
  progress('Tables of other engines');
  const warehouse = await checkWarehouse(store, new LocalTableFiles(paths.warehouse), findings);
  const otherEngines = { recent: preview?.others.recent ?? [], warehouse };
  const server = await findServer(folder);
  return { folder, formatVersion, server, log, objects, streams, findings: findings.list, orphans, otherEngines };
}

async function checkFormat(path: string, findings: Findings): Promise<number | null> {
  const damages = new Damages();
  const version = await readFormat(path, damages);
  findings.addDamages('format', damages.list);
  return version;
}

async function checkLog(
  folder: string,
  verification: LogVerification,
  findings: Findings,
  progress: (text: string) => void,
): Promise<DoctorReport['log']> {
  const damages = new Damages();
  const report = await inspectLog(folder, damages, segment => {
    progress(`Log segment ${segment.seq}`);
    for (const problem of verification.add(segment)) findings.addText('log', `log segment ${segment.seq}`, problem);
  });
  findings.addDamages('log', damages.list);
  const { floor, head, segments, records, bytes, torn } = report;
  return { floor, head, segments, records, bytes, torn };
}

async function checkWarehouse(store: ObjectStore, files: TableFiles, findings: Findings): Promise<WarehouseFacts> {
  const checked = await findings.of('warehouse', 'tables of other engines', () =>
    verifyWarehouse(store, files, (table, error) => findings.add('warehouse', `table ${table} of another engine`, error)),
  );
  return checked ?? { tables: 0, unclaimed: [] };
}

async function checkCatalog(store: ObjectStore, findings: Findings): ReturnType<typeof readCatalog> {
  await findings.of('catalog', 'catalog', () =>
    verifyObjectJournal(store, 'catalog', checkCatalogEntry, (seq, error) =>
      findings.add('catalog', `catalog entry ${seq}`, error),
    ),
  );
  return (await findings.of('catalog', 'catalog', () => readCatalog(new ObjectJournal(store, 'catalog')))) ?? [];
}
