import { AdditiveHash, TailwaterError } from '../../base/index.ts';
import type { StreamRecord, TableFormat } from '../../streams/index.ts';
import type { StagedFacts } from '../table-store.ts';
import type { TableRow, TableState, TableStateKind } from '../table-types.ts';
import type { StepPlan } from './plan.ts';

/** What the staged versions must hold, computed from the plan alone (C2). */
export interface ExpectedFacts {
  rowCount: number;
  rowsHash: string;
  oldRowCount: number;
  oldRowsHash: string;
  changeCount: number;
  changesHash: string;
  /** Hashes of what the step itself adds, above the old watermark. */
  newRowsHash: string;
  newChangesHash: string;
}

const ZERO_HASH = new AdditiveHash().toString();

/** The facts after moving `taken` rows out of the base's rows, and adding the plan's rows and changes. */
export function expectedFacts(plan: StepPlan, taken: readonly TableRow[]): ExpectedFacts {
  const { base } = plan;
  const takenHash = hashOf(taken);
  const old = AdditiveHash.parse(base?.rowsHash ?? ZERO_HASH);
  old.subtractHash(takenHash);
  const newRows = hashOf(plan.rows);
  const newChanges = hashOf(plan.changes.map(change => change.row));
  const rows = AdditiveHash.parse(old.toString());
  rows.addHash(newRows);
  const changes = AdditiveHash.parse(base?.changesHash ?? ZERO_HASH);
  changes.addHash(takenHash);
  changes.addHash(newChanges);
  const oldRowCount = (base?.rowCount ?? 0) - taken.length;
  return {
    oldRowCount,
    oldRowsHash: old.toString(),
    rowCount: oldRowCount + plan.rows.length,
    rowsHash: rows.toString(),
    changeCount: (base?.changeCount ?? 0) + taken.length + plan.changes.length,
    changesHash: changes.toString(),
    newRowsHash: newRows.toString(),
    newChangesHash: newChanges.toString(),
  };
}

/** What an operation that changes no row must find. */
export function unchangedFacts(base: TableState): ExpectedFacts {
  const { rowCount, rowsHash, changeCount, changesHash } = base;
  const same = { rowCount, rowsHash, oldRowCount: rowCount, oldRowsHash: rowsHash, changeCount, changesHash };
  return { ...same, newRowsHash: ZERO_HASH, newChangesHash: ZERO_HASH };
}

/** Throws TW_COMPACTION_FAILED, with both sides, when the staged versions are not what was planned. */
export function checkFacts(planned: ExpectedFacts, found: StagedFacts): void {
  const { newRowsHash, newChangesHash, ...all } = planned;
  const onlyNew = { ...all, rowsHash: newRowsHash, oldRowsHash: ZERO_HASH, changesHash: newChangesHash };
  const expected = found.hashed === 'all' ? all : onlyNew;
  for (const name of ['oldRowCount', 'oldRowsHash', 'rowCount', 'rowsHash', 'changeCount', 'changesHash'] as const) {
    if (expected[name] === found[name]) continue;
    throw new TailwaterError('TW_COMPACTION_FAILED', {
      detail: `The staged table has ${name} ${found[name]}, the plan ${expected[name]}: someone else changed the table meanwhile.`,
      data: { expected, found },
    });
  }
}

/** What a commit says about itself. */
export interface CommitFacts {
  attemptId: string;
  committedAtMs: number;
  statistics: readonly string[];
  missingVectors: number;
  milliseconds: number;
}

/** The state after the step. `staged` is null when the step has no record: the log position moves, the table stays. */
export function stateAfterStep(
  work: { incarnation: string; format: TableFormat; embedding: TableState['embedding'] },
  plan: StepPlan,
  staged: { facts: StagedFacts; expected: ExpectedFacts; taken: readonly TableRow[] } | null,
  commit: CommitFacts,
): TableState {
  const { base, input } = plan;
  const { rowCount, rowsHash, changeCount, changesHash } = staged?.expected ?? base!;
  const { versions, rawCount } = staged?.facts ?? {
    versions: { rows: base!.rowsVersion, changes: base!.changesVersion },
    rawCount: base!.rawCount,
  };
  const taken = staged?.taken ?? [];
  return {
    formatVersion: 1,
    n: (base?.n ?? 0) + 1,
    kind: base === null ? 'create' : 'compaction',
    attemptId: commit.attemptId,
    format: work.format,
    incarnation: work.incarnation,
    location: `${work.format === 'lance' ? 'tables' : work.format}/${work.incarnation}`,
    rowsVersion: versions.rows,
    changesVersion: versions.changes,
    schema: plan.schema,
    watermark: [...input.to.watermark],
    logSeq: input.to.logSeq,
    logTimeMs: input.to.logTimeMs,
    rowCount,
    changeCount,
    rowsHash,
    changesHash,
    expiredHash: base?.expiredHash ?? ZERO_HASH,
    statistics: [...commit.statistics],
    nullVectors: (base?.nullVectors ?? 0) + commit.missingVectors,
    rawCount,
    indexedRows: leftIndexed(base, taken.length),
    embedding: work.embedding,
    committedAtMs: commit.committedAtMs,
    summary: {
      records: input.records.length,
      inserted: plan.rows.length,
      superseded: plan.changes.length + taken.length,
      deleted: plan.deleted,
      milliseconds: commit.milliseconds,
    },
  };
}

/** The state after an operation that changed no row: another version, the same content. */
export function stateAfterUpkeep(
  base: TableState,
  kind: Exclude<TableStateKind, 'create' | 'compaction'>,
  facts: StagedFacts | null,
  commit: Omit<CommitFacts, 'statistics' | 'missingVectors'>,
  changed: Partial<Pick<TableState, 'indexedRows' | 'nullVectors'>>,
): TableState {
  return {
    ...base,
    n: base.n + 1,
    kind,
    attemptId: commit.attemptId,
    rowsVersion: facts?.versions.rows ?? base.rowsVersion,
    changesVersion: facts === null ? base.changesVersion : facts.versions.changes,
    committedAtMs: commit.committedAtMs,
    summary: { milliseconds: commit.milliseconds },
    ...changed,
  };
}

/** Rows that left were indexed, as far as one can know: so the rows that lack an index are never understated. */
function leftIndexed(base: TableState | null, taken: number): TableState['indexedRows'] {
  const { text, vector } = base?.indexedRows ?? { text: 0, vector: 0 };
  return { text: Math.max(0, text - taken), vector: Math.max(0, vector - taken) };
}

function hashOf(rows: readonly (TableRow | StreamRecord)[]): AdditiveHash {
  const hash = new AdditiveHash();
  for (const row of rows) hash.add(row.partition, row.offset);
  return hash;
}
