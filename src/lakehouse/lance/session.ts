import { Index, type IndexConfig, Session, type Table } from '@lancedb/lancedb';
import { TailwaterError } from '../../base/index.ts';
import { LANCE_TEXT_INDEX } from '../../streams/index.ts';
import { MAX_BATCH_ROWS } from '../datasets/batches.ts';
import type { IndexKind } from '../datasets/dataset.ts';

export interface LanceSettings {
  /** Memory for index data, shared by all tables. Default 512 MiB. */
  maxIndexCacheBytes: number;
  /** Memory for file metadata. Default 128 MiB. */
  maxMetadataCacheBytes: number;
  /** Open table versions kept for reuse. Default 64. */
  maxHandles: number;
  /** Rows from which a vector index is built; below, exact search serves. Default 50,000. */
  minVectorIndexRows: number;
  /** Rows that one append writes, of at most 64 MiB; each is a version and a fragment. Default 50,000. */
  maxAppendRows: number;
}

export const LANCE_DEFAULTS: LanceSettings = {
  maxIndexCacheBytes: 512 * 1024 * 1024,
  maxMetadataCacheBytes: 128 * 1024 * 1024,
  maxHandles: 64,
  minVectorIndexRows: 50_000,
  maxAppendRows: MAX_BATCH_ROWS,
};

export function createSession(settings: LanceSettings): Session {
  return new Session(BigInt(settings.maxIndexCacheBytes), BigInt(settings.maxMetadataCacheBytes));
}

const INDEX_COLUMNS: Readonly<Record<IndexKind, string>> = { key: '_key_text', text: '_text', vector: '_embedding' };

export async function createIndex(table: Table, kind: IndexKind): Promise<void> {
  await table.createIndex(INDEX_COLUMNS[kind], { config: await indexConfig(table, kind), replace: true });
}

export function indexKind(config: IndexConfig): IndexKind | undefined {
  return (Object.keys(INDEX_COLUMNS) as IndexKind[]).find(kind => INDEX_COLUMNS[kind] === config.columns[0]);
}

async function indexConfig(table: Table, kind: IndexKind): Promise<Index> {
  if (kind === 'key') return Index.btree();
  if (kind === 'text') return Index.fts(LANCE_TEXT_INDEX);
  const numPartitions = Math.ceil(Math.sqrt(await table.countRows()));
  return Index.ivfFlat({ distanceType: 'cosine', numPartitions });
}

/** LanceDB reports a version that is gone as a manifest that is not found. */
export function isMissingVersion(error: unknown): boolean {
  return error instanceof Error && /was not found|not found|does not exist/i.test(error.message);
}

export function historyExpired(what: string, cause: unknown): TailwaterError {
  return new TailwaterError('TW_HISTORY_EXPIRED', { detail: `${what} of the table is no longer kept.`, cause });
}
