import { listAll, listNames, type ObjectStore } from '../../storage/index.ts';
import type { TableStore } from '../table-store.ts';
import type { Deleted } from './table-collection.ts';

/** Every stream life that has left anything of a table: datasets, states, statistics. */
export async function tableLives(store: ObjectStore, tables: Pick<TableStore, 'incarnations'>): Promise<Set<string>> {
  const lives = new Set(await tables.incarnations());
  for await (const incarnation of listNames(store, 'tables/')) lives.add(incarnation);
  return lives;
}

/** Deletes all of a table whose stream is in no catalog any more: lives do not come back. */
export async function dropTable(store: ObjectStore, tables: Pick<TableStore, 'drop'>, incarnation: string): Promise<Deleted> {
  await tables.drop(incarnation);
  const keys: string[] = [];
  let bytes = 0;
  for await (const object of listAll(store, `tables/${incarnation}/`)) {
    keys.push(object.key);
    bytes += object.size;
  }
  if (keys.length > 0) await store.delete(keys);
  return { objects: keys.length, bytes };
}
