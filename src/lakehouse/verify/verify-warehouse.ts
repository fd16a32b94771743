import { type ObjectStore, VersionedDocument } from '../../storage/index.ts';
import type { TableFiles } from '../iceberg/table-files.ts';
import { CATALOG_KEY, type CatalogDocument, EMPTY_CATALOG, type TableEntry } from '../iceberg-catalog/catalog-document.ts';
import { readEntryMetadata } from '../iceberg-catalog/entry-metadata.ts';
import { shownName, tableNameOf } from '../iceberg-catalog/names.ts';

/** The files of a table that the catalog does not have. */
export interface UnclaimedFolder {
  /** Below the warehouse. */
  folder: string;
  files: number;
  bytes: number;
}

export interface WarehouseFacts {
  /** Tables that other engines keep. */
  tables: number;
  /** Of tables that were dropped without their files, or are being created. Nobody but their owner can say that they are garbage. */
  unclaimed: UnclaimedFolder[];
}

/** Names of folders: of a namespace and of a table in it. */
const LEVELS = 2;

/**
 * Checks that the newest metadata of every table that other engines keep is there as it was written, and finds the files below the warehouse that
 * are of no table. What is in the tables is their engines' business. Writes nothing.
 */
export async function verifyWarehouse(
  store: ObjectStore,
  files: TableFiles,
  fault: (table: string, error: unknown) => void,
): Promise<WarehouseFacts> {
  // Before the catalog: a table that was made meanwhile is not mistaken for a dropped one.
  const names = await files.below('');
  const tables = await entriesOf(store);
  for (const [key, entry] of tables) {
    await readEntryMetadata(files, entry).catch(error => fault(shownName(tableNameOf(key)), error));
  }
  const claimed = new Set(tables.map(([, { folder }]) => folder));
  const unclaimed = new Map<string, UnclaimedFolder>();
  for (const name of names) {
    const folder = name.split('/').slice(0, LEVELS).join('/');
    if (claimed.has(folder)) continue;
    const found = unclaimed.get(folder) ?? { folder, files: 0, bytes: 0 };
    found.files++;
    found.bytes += (await files.size(name)) ?? 0;
    unclaimed.set(folder, found);
  }
  return { tables: tables.length, unclaimed: [...unclaimed.values()] };
}

async function entriesOf(store: ObjectStore): Promise<[string, TableEntry][]> {
  const document = new VersionedDocument<CatalogDocument>(store, CATALOG_KEY);
  return Object.entries(((await document.read())?.value ?? EMPTY_CATALOG).tables);
}
