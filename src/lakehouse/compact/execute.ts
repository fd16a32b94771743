import { byteString, type Pace, TailwaterError } from '../../base/index.ts';
import { analyze, type StreamDefinition, searchText } from '../../streams/index.ts';
import type { StatisticsCollector } from '../statistics/collector.ts';
import type { ChangedRow, StagedFacts, TableStaging, TableVersions } from '../table-store.ts';
import type { TableRow, TableState } from '../table-types.ts';
import { parseValue } from './derive.ts';
import type { KeyLookup } from './fold.ts';
import { checkFacts, type ExpectedFacts, expectedFacts } from './outcome.ts';
import { rowsToWrite, type StepPlan } from './plan.ts';
import type { TableWork } from './settings.ts';
import type { RowVectors } from './vectors.ts';

export interface StagedStep {
  facts: StagedFacts;
  /** What the plan made of the table; `facts` agree with it. */
  expected: ExpectedFacts;
  /** Rows that left the table for its changes. */
  taken: TableRow[];
}

/** Writes the plan on top of the base's versions, privately, and checks the result against the plan (C2). Commits nothing. */
export async function stageStep(work: TableWork, plan: StepPlan, vectors: RowVectors | null): Promise<StagedStep> {
  const { definition, tables } = work;
  const { base } = plan;
  const staging = await tables.begin(definition, base && versionsOf(base), base?.schema ?? plan.schema);
  if (base !== null && base.schema.id !== plan.schema.id) await staging.evolve(plan.schema);
  const taken = await takeRows(staging, plan.lookups);
  if (plan.rows.length > 0) await staging.append(rowsToWrite(plan, vectors));
  const changes = [...supersededRows(taken, plan.lookups), ...plan.changes];
  if (changes.length > 0) await staging.appendChanges(changes);
  const tableRows = (base?.rowCount ?? 0) + (base?.changeCount ?? 0);
  const hashed = tableRows <= work.limits.fullyHashedRows ? 'all' : 'new';
  const facts = await staging.verify(plan.input.from.watermark, { hashed, watermark: plan.input.to.watermark });
  const expected = expectedFacts(plan, taken);
  checkFacts(expected, facts);
  return { facts, expected, taken };
}

export function versionsOf(state: TableState): TableVersions {
  return { rows: state.rowsVersion, changes: state.changesVersion };
}

/** What rows that leave the table take away from its statistics. */
export async function subtractRows(
  definition: StreamDefinition,
  rows: readonly TableRow[],
  statistics: StatisticsCollector,
  pace: Pace,
): Promise<void> {
  for (const [index, row] of rows.entries()) {
    if (index % 256 === 0 && pace.due) await pace.rest();
    if (row.key !== null) statistics.addKey(row.key, -1);
    const text = definition.search === null ? null : searchText(definition, parseValue(row.value));
    if (text !== null) statistics.addText(analyze(text), -1);
  }
}

async function takeRows(staging: TableStaging, lookups: readonly KeyLookup[]): Promise<TableRow[]> {
  if (lookups.length === 0) return [];
  return staging.takeKeys(
    lookups.map(lookup => lookup.key),
    lookups.map(lookup => lookup.belowSeq),
  );
}

/** A key has one row: anything else would have entered the table twice. */
function supersededRows(taken: readonly TableRow[], lookups: readonly KeyLookup[]): ChangedRow[] {
  const pending = new Map(lookups.map(lookup => [byteString(lookup.key), lookup.supersededAtMs]));
  return taken.map(row => {
    const name = row.key === null ? null : byteString(row.key);
    const supersededAtMs = name === null ? undefined : pending.get(name);
    if (name === null || supersededAtMs === undefined) {
      throw new TailwaterError('TW_DATA_DAMAGED', {
        detail: `The table gave up offset ${row.offset} of partition ${row.partition}, whose key was not asked for or has two rows.`,
      });
    }
    pending.delete(name);
    return { row, supersededAtMs };
  });
}
