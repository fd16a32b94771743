import type { Pace } from '../../base/index.ts';
import type { StreamRecord } from '../../streams/index.ts';
import { initialSchema } from '../columns/table-schema.ts';
import { StatisticsCollector } from '../statistics/collector.ts';
import type { TableStatistics } from '../statistics/statistics.ts';
import type { ChangedRow, TableRows } from '../table-store.ts';
import type { TableSchema, TableState } from '../table-types.ts';
import { type DerivedStep, deriveStep } from './derive.ts';
import { foldRecords, type KeyLookup } from './fold.ts';
import type { StepInput } from './read-step.ts';
import type { TableWork } from './settings.ts';

/** Everything one table commit will do, as data: the state it builds on and what it adds to it. */
export interface StepPlan {
  base: TableState | null;
  input: StepInput;
  schema: TableSchema;
  rows: StreamRecord[];
  derived: DerivedStep;
  /** Versions that never become rows: superseded within the step, and tombstones. */
  changes: ChangedRow[];
  /** Keys whose row may be in the table already. */
  lookups: KeyLookup[];
  deleted: number;
  /** Holds what the new rows add; rows taken out of the table are subtracted when they are known. */
  collector: StatisticsCollector;
}

export async function planStep(
  work: TableWork,
  base: TableState | null,
  statistics: TableStatistics,
  input: StepInput,
  pace: Pace,
): Promise<StepPlan> {
  const folded = foldRecords(work.definition.kind, input.records);
  const collector = new StatisticsCollector();
  const schema = base?.schema ?? initialSchema(work.definition);
  const derived = await deriveStep(work.definition, schema, input.records, folded.rows, collector, pace);
  return {
    base,
    input,
    schema: derived.schema,
    rows: folded.rows,
    derived,
    changes: folded.changes,
    lookups: base === null ? [] : folded.keys.filter(({ key }) => statistics.mayHaveKey(key)),
    deleted: folded.deleted,
    collector,
  };
}

export function rowsToWrite(plan: StepPlan, vectors: { vectors: Float32Array; hasVector: Uint8Array } | null): TableRows {
  return {
    rows: plan.rows,
    ...(plan.schema.text ? { texts: plan.derived.texts } : {}),
    ...(vectors === null ? {} : { vectors: vectors.vectors, hasVector: vectors.hasVector }),
  };
}
