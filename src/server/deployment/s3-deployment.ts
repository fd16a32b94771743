import { join } from 'node:path';
import { type Random, randomId, systemClock, TailwaterError } from '../../base/index.ts';
import { ObjectJournal } from '../../journal/index.ts';
import {
  type CompactionSettings,
  FormatTableStore,
  IcebergTableStore,
  LanceTableStore,
  lanceStorageOptions,
  ObjectTableFiles,
  objectPlace,
} from '../../lakehouse/index.ts';
import {
  createS3Store,
  nodeFileSystem,
  ObjectCache,
  type ObjectStore,
  probeConditionalPuts,
  RequestMeter,
  type S3Settings,
  withCache,
  withRetries,
} from '../../storage/index.ts';
import { closeDataFolder, type DataFolder, SHARD } from '../data-folder.ts';
import { tracedStore } from '../tracing/traced-store.ts';
import { checkFormatDocument, readFormatDocument } from './format-document.ts';
import { componentOf, isImmutable, TABLES } from './keys.ts';

/** A deployment whose only state is below a prefix of a bucket; any number of nodes share it. Plain data: a child process is told it. */
export interface S3Storage {
  /** `prefix` is the deployment's own: nothing else may write there. */
  s3: S3Settings;
  cache: CacheSettings;
}

export interface CacheSettings {
  /** A local folder; the node's processes share it, nodes do not. */
  folder: string;
  /** Files of the cache. Default 8 GiB. */
  maxDiskBytes: number;
  /** Objects in memory. Default 256 MiB. */
  maxMemoryBytes: number;
}

export const CACHE_DEFAULTS = { maxDiskBytes: 8 * 1024 ** 3, maxMemoryBytes: 256 * 1024 ** 2 };

/** Fewer, larger commits than on a disk: each costs requests, whatever its size. One fragment each, where rows are small. */
const STEPS: Partial<CompactionSettings> = { maxStepRows: 450_000, maxStepBytes: 128 * 1024 ** 2 };
const MAX_APPEND_ROWS = 450_000;
const CHECK_ALL = { checkedBytes: Number.POSITIVE_INFINITY };

/** Of the log's entries. */
export const LOG_PREFIX = `log/${SHARD}`;

/** As one of its nodes. Throws TW_STORE_UNSAFE (S4), TW_FORMAT_TOO_NEW, TW_SETTING, TW_STORAGE_UNAVAILABLE. */
export async function openS3Deployment(storage: S3Storage, random: Random): Promise<DataFolder> {
  const base = s3StoreOf(storage.s3, random);
  await probeConditionalPuts(base.store, random);
  await checkFormatDocument(base.store);
  return composed(storage, base, random);
}

/** Beside a node that opened it, as its compaction process. */
export async function joinS3Deployment(storage: S3Storage, random: Random, threads?: number): Promise<DataFolder> {
  return composed(storage, s3StoreOf(storage.s3, random), random, threads === undefined ? {} : { threads });
}

export interface VerifiedDeployment {
  folder: DataFolder;
  /** Of the layout; null when there is no deployment. TW_FORMAT_TOO_NEW, TW_DATA_DAMAGED. */
  formatVersion(): Promise<number | null>;
  close(): Promise<void>;
}

/** For who verifies it: writes nothing, and reads every object from the store itself. Files of tables are copied into the cache, which must be empty. */
export async function joinDeploymentToVerify(storage: S3Storage, random: Random): Promise<VerifiedDeployment> {
  const base = s3StoreOf(storage.s3, random);
  const folder = await composed(storage, base, random, { verifying: true });
  return { folder, formatVersion: () => readFormatDocument(base.store), close: () => closeDataFolder(folder) };
}

interface Base {
  store: ObjectStore;
  meter: RequestMeter;
}

/** Retries are above the meter: what is sent again is paid again. */
function s3StoreOf(s3: S3Settings, random: Random): Base {
  const meter = new RequestMeter(componentOf);
  return { store: withRetries(meter.wrap(createS3Store(s3)), { clock: systemClock, random }), meter };
}

/** `verifying`: no object comes from the cache, and files of any size are compared with their checksums. */
interface Composition {
  threads?: number;
  verifying?: boolean;
}

async function composed(
  { s3, cache: settings }: S3Storage,
  base: Base,
  random: Random,
  { threads, verifying = false }: Composition = {},
): Promise<DataFolder> {
  const run = `${process.pid}-${randomId(random)}`;
  const { folder, maxDiskBytes, maxMemoryBytes } = settings;
  const bounds = { maxDiskBytes, maxMemoryBytes };
  const cache = await ObjectCache.open({ fs: nodeFileSystem, random, folder, ...bounds, owner: run, isGone });
  const store = verifying ? base.store : withCache(tracedStore(base.store), cache, isImmutable);
  const address = addressOf(s3);
  const filesAt = (prefix: string): Promise<ObjectTableFiles> =>
    ObjectTableFiles.open({ store, prefix, address, cache, spoolFolder: join(folder, 'spool', run) });
  const files = { iceberg: await filesAt(TABLES.iceberg), warehouse: await filesAt(TABLES.warehouse) };
  const lance = objectPlace({ store, prefix: TABLES.lance, address, storageOptions: lanceStorageOptions(s3) });
  const duck = threads === undefined ? {} : { threads };
  return {
    lock: null,
    shared: true,
    store,
    journal: new ObjectJournal(store, LOG_PREFIX),
    tables: new FormatTableStore({
      lance: await LanceTableStore.open(lance, { maxAppendRows: MAX_APPEND_ROWS }),
      iceberg: await IcebergTableStore.open('', { files: files.iceberg, duck, settings: verifying ? CHECK_ALL : {} }),
    }),
    places: { lance: `${address}/${TABLES.lance}`, iceberg: `${address}/${TABLES.iceberg}` },
    files,
    requests: base.meter,
    cache,
    compaction: STEPS,
  };
}

function addressOf({ bucket, prefix }: S3Settings): string {
  return prefix === undefined || prefix === '' ? `s3://${bucket}` : `s3://${bucket}/${prefix}`;
}

/** `s3://bucket/prefix` as bucket and prefix. TW_SETTING. */
export function parseS3Address(text: string): { bucket: string; prefix: string } {
  const [, bucket, prefix] = /^s3:\/\/([^/]+)\/(.*[^/])\/?$/.exec(text) ?? [];
  if (bucket !== undefined && prefix !== undefined) return { bucket, prefix };
  throw new TailwaterError('TW_SETTING', {
    detail: `storage: ${JSON.stringify(text.slice(0, 200))} is not an address; it is s3://bucket/prefix, where the prefix is the deployment's own.`,
    data: { setting: 'storage' },
  });
}

/** Whether the process with this id at the beginning of its name has ended. */
function isGone(owner: string): boolean {
  const pid = Number(owner.split('-')[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}
