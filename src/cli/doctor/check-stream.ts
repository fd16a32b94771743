import { systemClock, systemRandom } from '../../base/index.ts';
import { FileJournal } from '../../journal/index.ts';
import { FormatTableStore, type TableState, TableTags, verifyStates, verifyTable } from '../../lakehouse/index.ts';
import { pathsOf } from '../../server/index.ts';
import { nodeFileSystem, type ObjectStore } from '../../storage/index.ts';
import { coverageFault, LogShard, type LogVerification, type StreamDefinition } from '../../streams/index.ts';
import type { Findings } from './findings.ts';

export interface StreamCheck {
  name: string;
  incarnation: string;
  /** Table states kept: from `floor` to `newest`; 0: no table. */
  states: { floor: number; newest: number };
  rows: number;
  changes: number;
  watermark: number[];
}

interface StreamWork {
  store: ObjectStore;
  folder: string;
  definition: StreamDefinition;
  verification: LogVerification;
  findings: Findings;
  progress: (text: string) => void;
}

/** States, table and, together with the log, every offset of one stream. */
export async function checkStream(work: StreamWork): Promise<StreamCheck> {
  const { store, definition, findings } = work;
  const { name, incarnation } = definition;
  work.progress(`Table states of ${name}`);
  const facts = await findings.of('states', `table states of ${name}`, () =>
    verifyStates(store, incarnation, (n, error) => findings.add('states', `table state ${n} of ${name}`, error)),
  );
  const state = facts?.latest ?? null;
  if (state !== null) await findings.of('table', `table of ${name}`, () => checkTable(work, state, `table of ${name}`));
  for (const tag of (await findings.of('tags', `tags of ${name}`, () => new TableTags(store, incarnation).list())) ?? []) {
    const part = `tag ${tag.name} of ${name}`;
    await findings.of('tags', part, () => checkTable(work, tag.state, part, 'tags'));
  }
  await findings.of('coverage', `offsets of ${name}`, () => checkCoverage(work, state));
  return {
    name,
    incarnation,
    states: { floor: state === null ? 0 : facts!.floor, newest: state?.n ?? 0 },
    rows: state?.rowCount ?? 0,
    changes: state?.changeCount ?? 0,
    watermark: state?.watermark ?? [],
  };
}

async function checkTable(
  { store, folder, definition, findings, progress }: StreamWork,
  state: TableState,
  part: string,
  area: 'table' | 'tags' = 'table',
): Promise<void> {
  const tables = await FormatTableStore.open(pathsOf(folder), { iceberg: { checkedBytes: Number.POSITIVE_INFINITY } });
  const onProgress = (read: number): void => progress(`${part[0].toUpperCase()}${part.slice(1)}: ${read} records read`);
  try {
    for (const problem of await verifyTable({ store, tables, definition, state, onProgress })) {
      findings.addText(area, part, problem);
    }
  } finally {
    await tables.close();
  }
}

/** Every acknowledged offset is in the table or in the log. */
async function checkCoverage(
  { folder, definition, verification, findings }: StreamWork,
  state: TableState | null,
): Promise<void> {
  const journal = await FileJournal.openReadOnly(nodeFileSystem, pathsOf(folder).log);
  try {
    const shard = await LogShard.open({ journal, shard: 0, clock: systemClock, random: systemRandom });
    for (const [partition, next] of (shard.nextOffsets(definition.incarnation) ?? []).entries()) {
      const range = verification.rangeOf(definition.incarnation, partition);
      const fault = coverageFault(partition, state?.watermark[partition] ?? -1, range, next);
      if (fault !== null) findings.addText('coverage', `offsets of ${definition.name}`, fault);
    }
  } finally {
    await journal.close();
  }
}
