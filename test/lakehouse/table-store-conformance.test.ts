import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IcebergTableStore, LanceTableStore, MemoryTableStore, type TableStore } from '../../src/lakehouse/index.ts';
import type { TableTraits } from '../conformance/table-rows.ts';
import { type TableWorld, tableStoreConformance } from '../conformance/table-store.ts';
import { tableStoreColumns } from '../conformance/table-store-columns.ts';
import { tableStoreExpiry } from '../conformance/table-store-expiry.ts';
import { tableStoreHistories } from '../conformance/table-store-histories.ts';
import { tableStoreRaces } from '../conformance/table-store-races.ts';

async function lanceWorld(): Promise<TableWorld> {
  return folderWorld(folder => LanceTableStore.open(folder));
}

async function icebergWorld(): Promise<TableWorld> {
  return folderWorld(folder => IcebergTableStore.open(folder));
}

async function folderWorld(open: (folder: string) => Promise<TableStore>): Promise<TableWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'tailwater-tables-'));
  const store = await open(folder);
  const other = await open(folder);
  return {
    store,
    other,
    close: async () => {
      await store.close();
      await other.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function modelWorld(): Promise<TableWorld> {
  const store = new MemoryTableStore();
  return { store, other: store, close: () => store.close() };
}

const ICEBERG: TableTraits = { search: false, isolated: true, format: 'iceberg' };

tableStoreConformance('the model', modelWorld);
tableStoreConformance('LanceDB', lanceWorld);
tableStoreConformance('Iceberg', icebergWorld, ICEBERG);
tableStoreRaces('the model', modelWorld, 100);
tableStoreRaces('LanceDB', lanceWorld, 6);
tableStoreRaces('Iceberg', icebergWorld, 6, ICEBERG);
tableStoreHistories('the model', modelWorld, 100);
tableStoreHistories('LanceDB', lanceWorld, 8);
tableStoreColumns('the model', modelWorld);
tableStoreColumns('LanceDB', lanceWorld);
tableStoreColumns('Iceberg', icebergWorld, ICEBERG);
tableStoreHistories('Iceberg', icebergWorld, 8, ICEBERG);
tableStoreExpiry('the model', modelWorld);
tableStoreExpiry('LanceDB', lanceWorld);
tableStoreExpiry('Iceberg', icebergWorld, ICEBERG);
