import { systemClock, systemRandom } from '../../src/base/index.ts';
import { checkFolder } from '../../src/cli/doctor/check-place.ts';
import { ObjectJournal, verifyObjectJournal } from '../../src/journal/index.ts';
import { LanceTableStore, verifyStates, verifyTable } from '../../src/lakehouse/index.ts';
import { pathsOf } from '../../src/server/index.ts';
import type { ObjectStore } from '../../src/storage/index.ts';
import {
  checkCatalogEntry,
  coverageFault,
  LogReader,
  LogShard,
  LogVerification,
  readCatalog,
  type StreamDefinition,
} from '../../src/streams/index.ts';
import type { NodeSettings } from './node-main.ts';
import { storeOf } from './node-main.ts';

/** What is wrong with all that a node that is gone has left, a line each: every checksum, journal, table and offset. */
export async function verify({ dataDir, s3 }: NodeSettings): Promise<string[]> {
  if (s3 !== null) return verifyObjects(dataDir, storeOf(s3, systemRandom));
  const { findings } = await checkFolder(dataDir, () => {});
  return findings.map(({ part, code, detail }) => `${part}: ${code}: ${detail}`);
}

/** As `tailwater doctor`, with log and objects in an object store. */
async function verifyObjects(dataDir: string, store: ObjectStore): Promise<string[]> {
  const problems: string[] = [];
  const journal = new ObjectJournal(store, 'log/0');
  const shard = await LogShard.open({ journal, shard: 0, clock: systemClock, random: systemRandom });
  const log = new LogVerification();
  for await (const segment of new LogReader(journal).range(await journal.floor(), shard.seq)) problems.push(...log.add(segment));
  await verifyObjectJournal(store, 'catalog', checkCatalogEntry, (seq, error) => problems.push(`catalog entry ${seq}: ${error}`));
  const tables = await LanceTableStore.open(pathsOf(dataDir).lance);
  try {
    for (const definition of await readCatalog(new ObjectJournal(store, 'catalog'))) {
      problems.push(...(await verifyStream(store, tables, definition, log, shard)));
    }
  } finally {
    await tables.close();
  }
  return problems;
}

async function verifyStream(
  store: ObjectStore,
  tables: LanceTableStore,
  definition: StreamDefinition,
  log: LogVerification,
  shard: LogShard,
): Promise<string[]> {
  const { name, incarnation } = definition;
  const problems: string[] = [];
  const facts = await verifyStates(store, incarnation, (n, error) => problems.push(`table state ${n} of ${name}: ${error}`));
  const state = facts?.latest ?? null;
  if (state !== null) problems.push(...(await verifyTable({ store, tables, definition, state })));
  for (const [partition, next] of (shard.nextOffsets(incarnation) ?? []).entries()) {
    const fault = coverageFault(partition, state?.watermark[partition] ?? -1, log.rangeOf(incarnation, partition), next);
    if (fault !== null) problems.push(`offsets of ${name}: ${fault}`);
  }
  return problems;
}
