import { join, resolve } from 'node:path';
import { fromUtf8, isJsonObject, type Random, TailwaterError, utf8 } from '../base/index.ts';
import { FileJournal, FolderLock, type Journal } from '../journal/index.ts';
import {
  type CompactionSettings,
  FormatTableStore,
  LocalTableFiles,
  type TableFiles,
  type TableFolders,
  type TableStore,
} from '../lakehouse/index.ts';
import {
  FileObjectStore,
  makeFolderDurably,
  nodeFileSystem,
  type ObjectCache,
  type ObjectStore,
  type RequestMeter,
  storageError,
} from '../storage/index.ts';

/** The version of the layout of a data folder and of every format in it without a version of its own. */
const FORMAT_VERSION = 1;

/** An embedded engine has one log shard. */
export const SHARD = 0;

/** Where everything lies in a data folder. */
export function pathsOf(dataDir: string) {
  return {
    lock: join(dataDir, 'lock.db'),
    format: join(dataDir, 'format.json'),
    log: join(dataDir, 'log', String(SHARD)),
    objects: join(dataDir, 'objects'),
    lance: join(dataDir, 'lance'),
    iceberg: join(dataDir, 'iceberg'),
    warehouse: join(dataDir, 'warehouse'),
  };
}

/** What a node is composed over, such as the open parts of a data folder; its owner also holds a lock. */
export interface DataFolder {
  lock: Pick<FolderLock, 'release'> | null;
  /** Whether other nodes may write to the same. */
  shared: boolean;
  store: ObjectStore & Partial<Pick<FileObjectStore, 'temporary'>>;
  /** Of the log shard. */
  journal: Journal;
  tables: TableStore;
  /** Where other clients find the tables of each format: folders, or addresses. */
  places: TableFolders;
  /** Of the Iceberg catalog: the tables of streams, and those that other engines keep. */
  files: { iceberg: TableFiles; warehouse: TableFiles };
  /** Of an object store whose requests cost. */
  requests?: RequestMeter;
  cache?: ObjectCache;
  /** How compaction differs from its defaults there. */
  compaction?: Partial<CompactionSettings>;
}

/** How a node comes by what it is composed over; `openDataFolder` unless told otherwise. */
export type OpenFolder = (dataDir: string, random: Random, onTorn: (facts: object) => void) => Promise<DataFolder>;

/** As the one owner. Throws TW_FOLDER_IN_USE, TW_FORMAT_TOO_NEW; TW_STORAGE_FULL or TW_STORAGE_UNAVAILABLE when it cannot be written to. */
export async function openDataFolder(dataDir: string, random: Random, onTorn: (facts: object) => void): Promise<DataFolder> {
  const paths = pathsOf(dataDir);
  let lock: FolderLock | null = null;
  try {
    await makeFolderDurably(nodeFileSystem, dataDir);
    lock = FolderLock.acquire(paths.lock);
    await checkFormat(dataDir, paths.format);
    const store = new FileObjectStore(nodeFileSystem, paths.objects, random);
    const journal = await FileJournal.open(nodeFileSystem, paths.log, { random, onTorn });
    return { lock, store, journal, tables: await FormatTableStore.open(paths), ...localParts(paths) };
  } catch (error) {
    lock?.release();
    throw storageError(error, `The data folder ${dataDir} could not be opened`);
  }
}

/** Beside the owner, as its compaction process: the log is read only; tables and objects have conditional commits. */
export async function joinDataFolder(dataDir: string, random: Random, threads?: number): Promise<DataFolder> {
  const paths = pathsOf(dataDir);
  return {
    lock: null,
    store: new FileObjectStore(nodeFileSystem, paths.objects, random),
    journal: await FileJournal.openReadOnly(nodeFileSystem, paths.log),
    tables: await FormatTableStore.open(paths, threads === undefined ? {} : { threads }),
    ...localParts(paths),
  };
}

/** What of a folder is the same for its owner and those beside it. */
export function localParts({
  lance,
  iceberg,
  warehouse,
}: ReturnType<typeof pathsOf>): Pick<DataFolder, 'shared' | 'places' | 'files'> {
  return {
    shared: false,
    places: { lance: resolve(lance), iceberg: resolve(iceberg) },
    files: { iceberg: new LocalTableFiles(resolve(iceberg)), warehouse: new LocalTableFiles(resolve(warehouse)) },
  };
}

export async function closeDataFolder(folder: DataFolder): Promise<void> {
  await folder.tables.close();
  await folder.journal.close();
  await folder.cache?.close();
  folder.lock?.release();
}

async function checkFormat(dataDir: string, path: string): Promise<void> {
  if ((await nodeFileSystem.stat(path)) === null) return writeFormat(dataDir, path);
  const version = formatVersionOf(fromUtf8(await nodeFileSystem.readFile(path)));
  if (version === null) throw new TailwaterError('TW_DATA_DAMAGED', { detail: `${path} cannot be read.`, data: { file: path } });
  if (version <= FORMAT_VERSION) return;
  throw new TailwaterError('TW_FORMAT_TOO_NEW', {
    detail: `The data folder has format ${version}; this version reads up to ${FORMAT_VERSION}.`,
  });
}

/** Null when the text names no version that ever was or will be. */
function formatVersionOf(text: string): number | null {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return null;
  }
  const version = isJsonObject(found) ? found.formatVersion : null;
  return Number.isSafeInteger(version) && Number(version) >= 1 ? Number(version) : null;
}

async function writeFormat(dataDir: string, path: string): Promise<void> {
  const file = await nodeFileSystem.open(`${path}.new`, (await nodeFileSystem.stat(`${path}.new`)) === null ? 'create' : 'write');
  await file.write(utf8(`${JSON.stringify({ formatVersion: FORMAT_VERSION })}\n`), 0);
  await file.datasync();
  await file.close();
  await nodeFileSystem.rename(`${path}.new`, path);
  await nodeFileSystem.syncFolder(dataDir);
}
