import { AdditiveHash, TailwaterError } from '../../base/index.ts';
import type { StreamRecord, TableFormat } from '../../streams/index.ts';
import type { ExpiredRecords, StagedFacts } from '../table-store.ts';
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

/** What is left when these records, all at or below the watermark, are gone. */
export function withoutRecords(facts: ExpectedFacts, { rows, changes }: ExpiredRecords): ExpectedFacts {
  const less = (hash: string, gone: readonly TableRow[]): string => {
    const sum = AdditiveHash.parse(hash);
    sum.subtractHash(hashOf(gone));
    return sum.toString();
  };
  const rowCount = facts.rowCount - rows.length;
  const rowsHash = less(facts.rowsHash, rows);
  const left = { rowCount, rowsHash, oldRowCount: rowCount, oldRowsHash: rowsHash };
  return {
    ...facts,
    ...left,
    changeCount: facts.changeCount - changes.length,
    changesHash: less(facts.changesHash, changes),
  };
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
    ...(base?.expired === undefined ? {} : { expired: base.expired }),
    ...bytesAfter(base, input.records),
    ...newestAfter(base, input.records),
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

/** Records come in log order. */
function newestAfter(base: TableState | null, records: readonly StreamRecord[]): Pick<TableState, 'newestIngestedAtMs'> {
  const newest = records.at(-1)?.ingestedAtMs ?? base?.newestIngestedAtMs;
  return newest === undefined ? {} : { newestIngestedAtMs: newest };
}

/** A table that did not count its bytes from the start does not know them. */
function bytesAfter(base: TableState | null, records: readonly StreamRecord[]): Pick<TableState, 'bytes'> {
  const before = base === null ? 0 : base.bytes;
  return before === undefined ? {} : { bytes: before + totalBytes(records) };
}

/** What records count for in `retention.bytes`: their keys and values. */
function totalBytes(records: readonly (TableRow | StreamRecord)[]): number {
  return records.reduce((sum, record) => sum + recordBytes(record), 0);
}

export function recordBytes({ key, value }: Pick<TableRow, 'key' | 'value'>): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}

/** The state after records have expired: they are accounted for, and stream reads begin behind the last of them. */
export function stateAfterExpiry(
  base: TableState,
  expired: ExpiredRecords,
  facts: StagedFacts,
  commit: Omit<CommitFacts, 'missingVectors'>,
): TableState {
  const gone = [...expired.rows, ...expired.changes];
  const { rowCount, rowsHash, changeCount, changesHash } = withoutRecords(unchangedFacts(base), expired);
  const expiredHash = AdditiveHash.parse(base.expiredHash);
  expiredHash.addHash(hashOf(gone));
  const through = base.watermark.map((_, partition) => base.expired?.through[partition] ?? -1);
  for (const { partition, offset } of gone) through[partition] = Math.max(through[partition], offset);
  return {
    ...stateAfterUpkeep(base, 'retention', facts, commit, { indexedRows: leftIndexed(base, expired.rows.length) }),
    rowCount,
    rowsHash,
    changeCount,
    changesHash,
    expiredHash: expiredHash.toString(),
    expired: {
      count: (base.expired?.count ?? 0) + gone.length,
      rows: (base.expired?.rows ?? 0) + expired.rows.length,
      through,
    },
    ...(base.bytes === undefined ? {} : { bytes: base.bytes - totalBytes(gone) }),
    rawCount: facts.rawCount,
    statistics: [...commit.statistics],
    summary: { expiredRows: expired.rows.length, expiredChanges: expired.changes.length, milliseconds: commit.milliseconds },
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
