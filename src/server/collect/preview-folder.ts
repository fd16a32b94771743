import { randomId, systemClock, systemRandom } from '../../base/index.ts';
import { ObjectJournal, Pins } from '../../journal/index.ts';
import { LogShard } from '../../streams/index.ts';
import { closeDataFolder, joinDataFolder, SHARD } from '../data-folder.ts';
import { Collector } from './collector.ts';
import type { CollectionReport } from './report.ts';

/** What a run of the collector with default settings would delete in a data folder. Changes and locks nothing. */
export async function previewCollection(dataDir: string): Promise<CollectionReport> {
  const folder = await joinDataFolder(dataDir, systemRandom);
  try {
    const { journal, store, tables } = folder;
    const collector = new Collector({
      shards: [await LogShard.open({ journal, shard: SHARD, clock: systemClock, random: systemRandom })],
      catalog: new ObjectJournal(store, 'catalog'),
      store,
      tables,
      ...(store.temporary && { temporary: store.temporary }),
      pins: new Pins(store, randomId(systemRandom), systemClock, systemRandom),
      clock: systemClock,
    });
    return await collector.run({ dryRun: true });
  } finally {
    await closeDataFolder(folder);
  }
}
