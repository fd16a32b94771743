import { randomId, systemClock, systemRandom } from '../../base/index.ts';
import { ObjectJournal, Pins } from '../../journal/index.ts';
import { LogShard } from '../../streams/index.ts';
import { closeDataFolder, type DataFolder, joinDataFolder, SHARD } from '../data-folder.ts';
import { Collector } from './collector.ts';
import type { CollectionReport } from './report.ts';

/** What a run of the collector with default settings would delete in a data folder. Changes and locks nothing. */
export async function previewCollection(dataDir: string): Promise<CollectionReport> {
  const folder = await joinDataFolder(dataDir, systemRandom);
  try {
    return await previewFolder(folder);
  } finally {
    await closeDataFolder(folder);
  }
}

/** The same of what is open already. */
export async function previewFolder({
  journal,
  store,
  tables,
}: Pick<DataFolder, 'journal' | 'store' | 'tables'>): Promise<CollectionReport> {
  const collector = new Collector({
    shards: [await LogShard.open({ journal, shard: SHARD, clock: systemClock, random: systemRandom })],
    catalog: new ObjectJournal(store, 'catalog'),
    store,
    tables,
    ...(store.temporary && { temporary: store.temporary }),
    pins: new Pins(store, randomId(systemRandom), systemClock, systemRandom),
    clock: systemClock,
  });
  return collector.run({ dryRun: true });
}
