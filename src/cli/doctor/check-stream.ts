import { isTailwaterError } from '../../base/index.ts';
import { type TableState, TableStates, TableTags, verifyStates, verifyTable } from '../../lakehouse/index.ts';
import { coverageFault, type LogVerification, type StreamDefinition } from '../../streams/index.ts';
import type { Findings } from './findings.ts';
import type { Place } from './place.ts';

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
  place: Place;
  definition: StreamDefinition;
  /** Where partitions went on before the log was read, by incarnation; null: not known. */
  nextOffsets: ReadonlyMap<string, readonly number[]> | null;
  verification: LogVerification;
  findings: Findings;
  progress: (text: string) => void;
}

/** How often a table is looked at that is compacted and collected faster than it is read. */
const MAX_ATTEMPTS = 3;

/** States, table and, together with the log, every offset of one stream. */
export async function checkStream(work: StreamWork): Promise<StreamCheck> {
  const { definition, findings, place } = work;
  const { name, incarnation } = definition;
  work.progress(`Table states of ${name}`);
  const facts = await findings.of('states', `table states of ${name}`, () =>
    verifyStates(place.store, incarnation, (n, error) => findings.add('states', `table state ${n} of ${name}`, error)),
  );
  const state = facts?.latest ?? null;
  if (state !== null) await findings.of('table', `table of ${name}`, () => checkNewest(work, state));
  const tags = await findings.of('tags', `tags of ${name}`, () => new TableTags(place.store, incarnation).list());
  for (const tag of tags ?? []) {
    const part = `tag ${tag.name} of ${name}`;
    await findings.of('tags', part, () => checkTable(work, tag.state, part, 'tags'));
  }
  checkCoverage(work, state);
  return {
    name,
    incarnation,
    states: { floor: state === null ? 0 : facts!.floor, newest: state?.n ?? 0 },
    rows: state?.rowCount ?? 0,
    changes: state?.changeCount ?? 0,
    watermark: state?.watermark ?? [],
  };
}

/** A state that is given up while its table is read says nothing: the next one is looked at. */
async function checkNewest(work: StreamWork, state: TableState): Promise<void> {
  const states = new TableStates(work.place.store, state.incarnation);
  for (let attempt = 1, newest = state; ; attempt++) {
    try {
      return await checkTable(work, newest, `table of ${work.definition.name}`, 'table');
    } catch (error) {
      const next = isTailwaterError(error, 'TW_HISTORY_EXPIRED') ? await states.latest() : null;
      if (attempt === MAX_ATTEMPTS || next === null || next.n === newest.n) throw error;
      newest = next;
    }
  }
}

async function checkTable(
  { place, definition, findings, progress }: StreamWork,
  state: TableState,
  part: string,
  area: 'table' | 'tags',
): Promise<void> {
  const { store, tables } = place;
  const onProgress = (read: number): void => progress(`${part[0].toUpperCase()}${part.slice(1)}: ${read} records read`);
  for (const problem of await verifyTable({ store, tables, definition, state, onProgress })) {
    findings.addText(area, part, problem);
  }
}

/** Every acknowledged offset is in the table or in the log. */
function checkCoverage({ definition, nextOffsets, verification, findings }: StreamWork, state: TableState | null): void {
  for (const [partition, next] of (nextOffsets?.get(definition.incarnation) ?? []).entries()) {
    const range = verification.rangeOf(definition.incarnation, partition);
    const fault = coverageFault(partition, state?.watermark[partition] ?? -1, range, next);
    if (fault !== null) findings.addText('coverage', `offsets of ${definition.name}`, fault);
  }
}
