import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LanceTableStore, MemoryTableStore } from '../../src/lakehouse/index.ts';
import { type TableWorld, tableStoreConformance } from '../conformance/table-store.ts';
import { tableStoreExpiry } from '../conformance/table-store-expiry.ts';
import { tableStoreHistories } from '../conformance/table-store-histories.ts';
import { tableStoreRaces } from '../conformance/table-store-races.ts';

async function lanceWorld(): Promise<TableWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'tailwater-tables-'));
  const store = await LanceTableStore.open(folder);
  const other = await LanceTableStore.open(folder);
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

tableStoreConformance('the model', modelWorld);
tableStoreConformance('LanceDB', lanceWorld);
tableStoreRaces('the model', modelWorld, 100);
tableStoreRaces('LanceDB', lanceWorld, 6);
tableStoreHistories('the model', modelWorld, 100);
tableStoreHistories('LanceDB', lanceWorld, 8);
tableStoreExpiry('the model', modelWorld);
tableStoreExpiry('LanceDB', lanceWorld);
