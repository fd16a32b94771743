import { Pace } from '../../base/index.ts';
import { parseFilter } from '../../streams/index.ts';
import { filterToSql } from '../columns/filter-sql.ts';
import { StatisticsCollector } from '../statistics/collector.ts';
import { stackLayer } from '../statistics/stacking.ts';
import type { ExpiredRecords, StagedFacts, TableVersion } from '../table-store.ts';
import type { TableRow, TableState } from '../table-types.ts';
import { type Attempt, untilDone } from './attempts.ts';
import { parseValue } from './derive.ts';
import { subtractRows, versionsOf } from './execute.ts';
import { expiryBounds, momentAt } from './expiry.ts';
import { checkFacts, recordBytes, stateAfterExpiry, unchangedFacts, withoutRecords } from './outcome.ts';
import type { TableWork } from './settings.ts';
import { commitFacts, commitUpkeep, latestState } from './upkeep-commit.ts';

/** A text compares as its instant does within a day: no time zone is further away. */
const DAY_MS = 86_400_000;
const PAGE_RECORDS = 1_000;

/**
 * Takes what retention, time to live and history say has expired out of the table, a bounded number of records with each commit, until
 * nothing is left that had expired at the call. Each is a table state of its own with the same watermark, in which what left is accounted for.
 */
export async function expireRecords(work: TableWork): Promise<void> {
  const nowMs = work.clock.nowMs();
  while (await untilDone(work, 'Expiring records', () => expireBatch(work, nowMs)));
}

/** Whether another batch may find more. */
async function expireBatch(work: TableWork, nowMs: number): Promise<Attempt<boolean>> {
  const base = await latestState(work);
  const startedMs = work.clock.nowMs();
  const expired = await findExpired(work, base, nowMs);
  if (expired.rows.length + expired.changes.length === 0) return { kind: 'done', value: false };
  const facts = await stageRemoval(work, base, expired);
  const statistics = await statisticsWithout(work, base, expired.rows);
  const next = stateAfterExpiry(base, expired, facts, { ...commitFacts(work, startedMs), statistics });
  return commitUpkeep(work, base, next);
}

async function stageRemoval(work: TableWork, base: TableState, expired: ExpiredRecords): Promise<StagedFacts> {
  const staging = await work.tables.begin(work.definition, versionsOf(base), base.schema);
  await staging.remove(
    expired.rows.map(row => row.seq),
    expired.changes.map(row => row.seq),
  );
  const facts = await staging.verify(base.watermark);
  checkFacts(withoutRecords(unchangedFacts(base), expired), facts);
  return facts;
}

async function statisticsWithout(work: TableWork, base: TableState, rows: readonly TableRow[]): Promise<readonly string[]> {
  const { definition, store, random, clock, limits } = work;
  const collector = new StatisticsCollector();
  await subtractRows(definition, rows, collector, new Pace(clock, limits.sliceMs));
  const statistics = await work.statistics(base.statistics);
  const forState = { incarnation: definition.incarnation, n: base.n + 1 };
  return (await stackLayer(store, random, forState, statistics, collector.finish())).objectKeys;
}

/** By their times first: what is left then is what may be too much. */
async function findExpired(work: TableWork, base: TableState, nowMs: number): Promise<ExpiredRecords> {
  const { definition, tables, limits } = work;
  const version = await tables.open(definition, versionsOf(base), base.schema);
  const old = await version.expired(expiryBounds(definition, nowMs), limits.maxExpiredRecords);
  const { ttl } = definition;
  if (ttl !== undefined && 'field' in ttl && old.rows.length < limits.maxExpiredRecords) {
    const seqs = new Set(old.rows.map(row => row.seq));
    const limit = limits.maxExpiredRecords - old.rows.length;
    old.rows.push(...(await pastTheirField(version, base, ttl.field, nowMs, limit, seqs)));
  }
  if (old.rows.length + old.changes.length > 0) return old;
  const offsetsBelow = await overfull(version, base, definition.retentionBytes, limits.maxExpiredRecords);
  if (offsetsBelow === null) return old;
  const nothing = { ingestedMs: null, timeMs: null, supersededMs: null };
  return version.expired({ ...nothing, offsetsBelow }, limits.maxExpiredRecords);
}

/** Rows whose field names a moment that has come, at most `limit`. */
async function pastTheirField(
  version: TableVersion,
  { schema }: TableState,
  field: string,
  nowMs: number,
  limit: number,
  known: ReadonlySet<number>,
): Promise<TableRow[]> {
  const latest = new Date(nowMs + DAY_MS).toISOString();
  const where = filterToSql(parseFilter({ $or: [{ [field]: { $lte: nowMs } }, { [field]: { $lte: latest } }] }), schema);
  const rows: TableRow[] = [];
  for await (const batch of version.scan({ where })) {
    for (const row of batch) {
      const moment = known.has(row.seq) ? null : momentAt(parseValue(row.value), field);
      if (moment !== null && moment <= nowMs) rows.push(row);
      if (rows.length === limit) return rows;
    }
  }
  return rows;
}

/**
 * Per partition, the offset below which records have to go, oldest first and at most `limit`, so that the rest is not larger than it may be;
 * null: none.
 */
async function overfull(
  version: TableVersion,
  state: TableState,
  maxBytes: number | undefined,
  limit: number,
): Promise<number[] | null> {
  if (maxBytes === undefined || state.bytes === undefined || state.bytes <= maxBytes) return null;
  const below = state.watermark.map(() => 0);
  const pages = new Map<number, TableRow[]>();
  let excess = state.bytes - maxBytes;
  for (let count = 0; excess > 0 && count < limit; count++) {
    const oldest = await oldestRecord(version, state, below, pages);
    if (oldest === null) break;
    below[oldest.partition] = oldest.offset + 1;
    excess -= recordBytes(oldest);
  }
  return below;
}

/** Of the records that are left, in the order of the log. A page of each partition is in memory. */
async function oldestRecord(
  version: TableVersion,
  state: TableState,
  below: readonly number[],
  pages: Map<number, TableRow[]>,
): Promise<TableRow | null> {
  let oldest: TableRow | null = null;
  for (const [partition, last] of state.watermark.entries()) {
    let page = pages.get(partition) ?? [];
    if (page.length === 0 && below[partition] <= last) {
      page = (await version.byOffsets(partition, below[partition], last, PAGE_RECORDS)).reverse();
      pages.set(partition, page);
    }
    const next = page.at(-1);
    if (next !== undefined && (oldest === null || next.seq < oldest.seq)) oldest = next;
  }
  if (oldest !== null) pages.get(oldest.partition)!.pop();
  return oldest;
}
