import { ObjectJournal } from '../../src/journal/index.ts';
import { FormatTableStore } from '../../src/lakehouse/index.ts';
import { localParts, pathsOf } from '../../src/server/data-folder.ts';
import { Engine } from '../../src/server/engine.ts';
import type { EngineOptions } from '../../src/server/settings.ts';
import type { ObjectStore } from '../../src/storage/index.ts';

/** One of several nodes over a store, in this process. */
export function openSharedNode(store: ObjectStore, dataDir: string, options: Partial<EngineOptions> = {}): Promise<Engine> {
  const quiet = { compactionHost: 'inline', compaction: { auto: false }, collection: { auto: false } } as const;
  return Engine.open({ dataDir, ...quiet, ...options }, async () => ({
    lock: null,
    store,
    journal: new ObjectJournal(store, 'log/0'),
    tables: await FormatTableStore.open(pathsOf(dataDir)),
    ...localParts(pathsOf(dataDir)),
    shared: true,
  }));
}
