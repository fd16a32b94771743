import { isTailwaterError } from '../../src/base/index.ts';
import { type TableSchema, type TableState, TableStatistics, type TableVersions } from '../../src/lakehouse/index.ts';
import type { StreamRecord } from '../../src/streams/index.ts';
import { WORDS } from './draw-plan.ts';
import { isSame, place, type StreamModel } from './stream-model.ts';
import { must } from './violation.ts';
import type { World } from './world.ts';

const ALL = 1_000_000;

/** What a committed state names is what the log says: every row and every change once, and the statistics of the rows. */
export async function checkTable(world: World, model: StreamModel, state: TableState): Promise<void> {
  const { rowsVersion, changesVersion, schema, logSeq, n } = state;
  const version = await opened(world, model, { rows: rowsVersion, changes: changesVersion }, schema);
  if (version === null) return;
  const scanned: StreamRecord[] = [];
  for await (const batch of version.scan({})) scanned.push(...batch);
  const winners = new Map(model.winnersAt(logSeq).map(record => [place(record), record]));
  const facts = (): object => ({ stream: model.definition.name, n, kind: state.kind, logSeq, rows: scanned.map(place) });
  must(scanned.length === winners.size, 'a table has a row per living key', () => ({
    ...facts(),
    expected: [...winners.keys()],
  }));
  for (const row of scanned) {
    const expected = winners.get(place(row));
    must(expected !== undefined && isSame(row, expected), 'a table row is the newest record', () => ({
      ...facts(),
      row: place(row),
    }));
  }
  for (const [partition, records] of model.partitions.entries()) {
    const expected = records.filter(record => record.segment <= logSeq);
    const found = await version.byOffsets(partition, 0, ALL, ALL);
    const same = found.length === expected.length && found.every((row, index) => isSame(row, expected[index]));
    must(same, 'a table replays every record', () => ({ ...facts(), partition, found: found.map(row => row.offset) }));
  }
  await checkStatistics(world, model, state);
}

/** Null when the stream was deleted and its table too, before a compactor that had slept through it all committed: nobody reads that. */
async function opened(world: World, { definition }: StreamModel, at: TableVersions, schema: TableSchema) {
  try {
    return await world.tables.open(definition, at, schema);
  } catch (error) {
    if (world.truth.dead.has(definition.incarnation) && isTailwaterError(error, 'TW_HISTORY_EXPIRED')) return null;
    throw error;
  }
}

async function checkStatistics(world: World, model: StreamModel, state: TableState): Promise<void> {
  const statistics = await TableStatistics.load(world.store, state.statistics);
  const rows = model.winnersAt(state.logSeq);
  const facts = (): object => ({ stream: model.definition.name, n: state.n, logSeq: state.logSeq });
  if (model.definition.search !== null) {
    const documents = rows.filter(row => row.words.length > 0);
    must(statistics.documents === documents.length, 'statistics count the documents', facts);
    must(statistics.tokens === documents.reduce((sum, row) => sum + row.words.length, 0), 'statistics count the tokens', facts);
    for (const word of WORDS) {
      const expected = documents.filter(row => row.words.includes(word)).length;
      must(statistics.documentFrequency(word) === expected, 'statistics count a term’s documents', () => ({ ...facts(), word }));
    }
  }
  if (model.definition.kind !== 'upsert') return;
  for (const row of rows) must(statistics.mayHaveKey(Buffer.from(row.key!)), 'statistics know every key', facts);
}
