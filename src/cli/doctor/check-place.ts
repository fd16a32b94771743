import { systemClock, systemRandom } from '../../base/index.ts';
import { ObjectJournal, verifyObjectJournal } from '../../journal/index.ts';
import { verifyWarehouse, type WarehouseFacts } from '../../lakehouse/index.ts';
import { checkCatalogEntry, LogShard, LogVerification, readCatalog } from '../../streams/index.ts';
import { Damages } from '../inspect/damages.ts';
import { inspectObjects } from '../inspect/inspect-tables.ts';
import { findServer } from '../server-note.ts';
import { checkStream, type StreamCheck } from './check-stream.ts';
import { type Finding, Findings } from './findings.ts';
import { folderPlace, type LogFacts, type Place } from './place.ts';

export interface DoctorReport {
  /** The data folder, or the address of the deployment. */
  folder: string;
  formatVersion: number | null;
  /** The one that runs on the folder. */
  server: { url: string; pid: number } | null;
  log: LogFacts;
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
  await using place = await folderPlace(folder);
  return { ...(await checkPlace(place, progress)), server: await findServer(folder) };
}

/** The same of any place. */
export async function checkPlace(place: Place, progress: (text: string) => void): Promise<DoctorReport> {
  const folder = place.name;
  const findings = new Findings();
  const formatVersion = await place.checkFormat(findings);
  // Before the log is read: what is acknowledged meanwhile is not missed in it.
  const [heads] = await Promise.allSettled([headsOf(place)]);
  const verification = new LogVerification();
  const log = await place.checkLog(findings, segment => {
    progress(`Log segment ${segment.seq}`);
    for (const problem of verification.add(segment)) findings.addText('log', `log segment ${segment.seq}`, problem);
  });
  if (heads.status === 'rejected') findings.add('coverage', 'offsets of all streams', heads.reason);
  const objects = await checkObjects(place, findings, progress);
  progress('Catalog');
  const definitions = await checkCatalog(place, findings);
  const nextOffsets = heads.status === 'rejected' ? null : heads.value;
  const streams: StreamCheck[] = [];
  for (const definition of definitions) {
    streams.push(await checkStream({ place, definition, nextOffsets, verification, findings, progress }));
  }
  progress('Orphans');
  const preview = await findings.of('collector', 'orphans', () => place.previewCollection());
  for (const problem of preview?.problems ?? []) findings.addText('collector', 'orphans', problem);
  const orphans = preview?.orphans ?? [];
  progress('Tables of other engines');
  const warehouse = await checkWarehouse(place, findings);
  const otherEngines = { recent: preview?.others.recent ?? [], warehouse };
  return { folder, formatVersion, server: null, log, objects, streams, findings: findings.list, orphans, otherEngines };
}

/** Where the partitions of every stream of the log go on, by incarnation. */
async function headsOf(place: Place): Promise<Map<string, readonly number[]>> {
  const journal = await place.journal();
  try {
    const shard = await LogShard.open({ journal, shard: 0, clock: systemClock, random: systemRandom });
    return new Map(shard.incarnations().map(incarnation => [incarnation, shard.nextOffsets(incarnation) ?? []]));
  } finally {
    await journal.close();
  }
}

async function checkObjects(
  place: Place,
  findings: Findings,
  progress: (text: string) => void,
): Promise<DoctorReport['objects']> {
  progress('Checksums of objects');
  const damages = new Damages();
  const totals = { count: 0, bytes: 0 };
  for (const prefix of (await damages.of('objects', () => place.objectPrefixes())) ?? []) {
    const { count, bytes } = await inspectObjects(place.store, damages, prefix);
    totals.count += count;
    totals.bytes += bytes;
  }
  findings.addDamages('objects', damages.list);
  return totals;
}

async function checkWarehouse({ store, warehouse }: Place, findings: Findings): Promise<WarehouseFacts> {
  const checked = await findings.of('warehouse', 'tables of other engines', () =>
    verifyWarehouse(store, warehouse, (table, error) => findings.add('warehouse', `table ${table} of another engine`, error)),
  );
  return checked ?? { tables: 0, unclaimed: [] };
}

async function checkCatalog({ store }: Place, findings: Findings): ReturnType<typeof readCatalog> {
  await findings.of('catalog', 'catalog', () =>
    verifyObjectJournal(store, 'catalog', checkCatalogEntry, (seq, error) =>
      findings.add('catalog', `catalog entry ${seq}`, error),
    ),
  );
  return (await findings.of('catalog', 'catalog', () => readCatalog(new ObjectJournal(store, 'catalog')))) ?? [];
}
