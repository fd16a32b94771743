import { type Logger, type Random, systemClock } from '../../src/base/index.ts';
import { ObjectJournal } from '../../src/journal/index.ts';
import { LanceTableStore } from '../../src/lakehouse/index.ts';
import { type DataFolder, localParts, pathsOf } from '../../src/server/data-folder.ts';
import { Engine } from '../../src/server/engine.ts';
import { serve } from '../../src/server/index.ts';
import type { EngineOptions } from '../../src/server/settings.ts';
import { createS3Store, type ObjectStore, probeConditionalPuts, type S3Settings, withRetries } from '../../src/storage/index.ts';

/** What a node under test is told, as JSON in its first argument. */
export interface NodeSettings {
  dataDir: string;
  /** The log, the catalog and all other objects are there; tables stay in the folder. Null: everything is in the folder. */
  s3: S3Settings | null;
  /** Where tables are compacted; on S3 always in the node itself. */
  compactionHost: 'process' | 'inline';
}

/** Everything at once and all the time: kills then fall into compactions and collections. */
const RESTLESS: Partial<EngineOptions> = {
  compaction: { rows: 40, ageMs: 100 },
  collection: { intervalMs: 150, graceMs: 50, logHistoryMs: 0, historySlack: 0, catalogEntries: 2 },
};

/** Only problems, a line each: the parent shows them when a check fails. */
const problemLogger: Logger = {
  debug() {},
  info() {},
  warn: (facts, message) => void process.stderr.write(`${message} ${JSON.stringify(facts)}\n`),
  error: (facts, message) => void process.stderr.write(`${message} ${JSON.stringify(facts)}\n`),
};

if (import.meta.main) await main(JSON.parse(process.argv[2]) as NodeSettings);

async function main({ dataDir, s3, compactionHost }: NodeSettings): Promise<void> {
  const options: EngineOptions = { dataDir, ...RESTLESS, compactionHost, logger: problemLogger };
  const engine =
    s3 === null ? await Engine.open(options) : await Engine.open(options, (folder, random) => openOverS3(folder, s3, random));
  const server = await serve(engine, { port: 0 });
  process.once('SIGTERM', async () => {
    await server.close();
    await engine.close();
    process.exit(0);
  });
  process.stdout.write(`${server.url}\n`);
}

async function openOverS3(dataDir: string, s3: S3Settings, random: Random): Promise<DataFolder> {
  const store = storeOf(s3, random);
  await probeConditionalPuts(store, random);
  return {
    lock: null,
    store,
    journal: new ObjectJournal(store, 'log/0'),
    tables: await LanceTableStore.open(pathsOf(dataDir).lance),
    ...localParts(pathsOf(dataDir)),
  };
}

/** As a node on S3 sees it. */
export function storeOf(s3: S3Settings, random: Random): ObjectStore {
  return withRetries(createS3Store(s3), { clock: systemClock, random });
}
