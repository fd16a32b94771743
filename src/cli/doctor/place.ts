import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom, TailwaterError } from '../../base/index.ts';
import { FileJournal, type Journal, ObjectJournal, verifyObjectJournal } from '../../journal/index.ts';
import { FormatTableStore, LocalTableFiles, type TableFiles, type TableStore } from '../../lakehouse/index.ts';
import {
  type CollectionReport,
  joinDeploymentToVerify,
  LOG_PREFIX,
  pathsOf,
  previewCollection,
  previewFolder,
  type S3Storage,
} from '../../server/index.ts';
import { FileObjectStore, listNames, nodeFileSystem, type ObjectStore } from '../../storage/index.ts';
import { decodeSegment, type Segment } from '../../streams/index.ts';
import { Damages } from '../inspect/damages.ts';
import { readFormat } from '../inspect/inspect-folder.ts';
import { inspectLog } from '../inspect/inspect-log.ts';
import type { LogReport } from '../inspect/report.ts';
import type { Findings } from './findings.ts';

export type LogFacts = Pick<LogReport, 'floor' | 'head' | 'segments' | 'records' | 'bytes' | 'torn'>;

/** What a doctor looks at: a data folder, or a deployment on S3. Nothing in it is changed. */
export interface Place extends AsyncDisposable {
  /** The folder, or the address. */
  name: string;
  /** Every read is of the place itself, none of a cache. */
  store: ObjectStore;
  /** Compares all of each file with its checksum. */
  tables: Pick<TableStore, 'open'>;
  warehouse: TableFiles;
  /** Below these prefixes are the objects whose checksums are looked at one by one; the others are read for what is in them. */
  objectPrefixes(): Promise<string[]>;
  journal(): Promise<Journal>;
  checkFormat(findings: Findings): Promise<number | null>;
  /** `seen`: each segment that is whole. */
  checkLog(findings: Findings, seen: (segment: Segment) => void): Promise<LogFacts>;
  previewCollection(): Promise<CollectionReport>;
}

export async function folderPlace(folder: string): Promise<Place> {
  const paths = pathsOf(folder);
  const tables = await FormatTableStore.open(paths, { iceberg: { checkedBytes: Number.POSITIVE_INFINITY } });
  return {
    name: folder,
    store: new FileObjectStore(nodeFileSystem, paths.objects, systemRandom),
    tables,
    warehouse: new LocalTableFiles(paths.warehouse),
    objectPrefixes: async () => [''],
    journal: () => FileJournal.openReadOnly(nodeFileSystem, paths.log),
    checkFormat: async findings => {
      const damages = new Damages();
      const version = await readFormat(paths.format, damages);
      findings.addDamages('format', damages.list);
      return version;
    },
    checkLog: async (findings, seen) => {
      const damages = new Damages();
      const { floor, head, segments, records, bytes, torn } = await inspectLog(paths.log, damages, seen);
      findings.addDamages('log', damages.list);
      return { floor, head, segments, records, bytes, torn };
    },
    previewCollection: () => previewCollection(folder),
    [Symbol.asyncDispose]: () => tables.close(),
  };
}

/** What is read in a way of its own: the log, and tables. */
const READ_OTHERWISE = new Set(['log', 'data']);

/** Runs `work` with a local cache that begins empty, and is deleted afterwards. */
export async function withScratchCache<T>({ s3, cache }: S3Storage, work: (storage: S3Storage) => Promise<T>): Promise<T> {
  const scratch = await mkdtemp(join(tmpdir(), 'tailwater-verify-'));
  try {
    return await work({ s3, cache: { ...cache, folder: scratch } });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** As one of its nodes sees it. The cache must be empty. */
export async function deploymentPlace(storage: S3Storage): Promise<Place> {
  const { folder, close, formatVersion } = await joinDeploymentToVerify(storage, systemRandom);
  const { store, tables, files } = folder;
  const { s3 } = storage;
  return {
    name: `s3://${s3.bucket}/${s3.prefix}`,
    ...{ store, tables },
    warehouse: files.warehouse,
    objectPrefixes: async () => {
      const prefixes: string[] = [];
      for await (const name of listNames(store, '')) if (!READ_OTHERWISE.has(name)) prefixes.push(name);
      return prefixes;
    },
    journal: async () => new ObjectJournal(store, LOG_PREFIX),
    checkFormat: findings => findings.of('format', 'format.json', async () => (await formatVersion()) ?? noDeployment()),
    checkLog: (findings, seen) => checkObjectLog(store, findings, seen),
    previewCollection: () => previewFolder(folder),
    [Symbol.asyncDispose]: close,
  };
}

/** The log as a journal of objects. */
export async function checkObjectLog(
  store: ObjectStore,
  findings: Findings,
  seen: (segment: Segment) => void,
): Promise<LogFacts> {
  const facts: LogFacts = { floor: 1, head: 0, segments: 0, records: 0, bytes: 0, torn: [] };
  const visit = (_seq: number, bytes: Uint8Array): void => {
    const segment = decodeSegment(bytes);
    facts.segments++;
    facts.bytes += segment.byteLength;
    facts.records += segment.batches.reduce((sum, { batch }) => sum + batch.count, 0);
    seen(segment);
  };
  const journal = await findings.of('log', 'log', () =>
    verifyObjectJournal(store, LOG_PREFIX, visit, (seq, error) => findings.add('log', `log segment ${seq}`, error)),
  );
  return { ...facts, floor: journal?.floor ?? 1, head: journal?.head ?? 0 };
}

function noDeployment(): never {
  throw new TailwaterError('TW_SETTING', { detail: 'There is no format.json: nothing of Tailwater is below this prefix.' });
}
