import { type Clock, Pace } from '../../base/index.ts';
import { columnsOfRows, Int64Reader, type TableRow } from '../../lakehouse/index.ts';
import { matches } from '../../streams/index.ts';
import type { Pinned } from '../pinned.ts';
import { mayHold } from './conditions.ts';
import { derivedOf, type VectorSource } from './derived-columns.ts';
import { plainExtra } from './plain-extra.ts';
import { type ScanRows, shardOf } from './scan-rows.ts';
import { parsed } from './scan-schema.ts';
import type { ScanPlan } from './scan-types.ts';

const CHUNK_ROWS = 1_024;
const CHUNK_BYTES = 1024 * 1024;
const SLICE_MS = 5;

/** The rows of the tail that the plan wants, in rising `_seq`, as the columns a table would hold them in. */
export async function* tailRows(
  pinned: Pinned,
  plan: ScanPlan,
  clock: Clock,
  vectors: VectorSource | null,
): AsyncGenerator<ScanRows> {
  const { tail } = pinned;
  const pace = new Pace(clock, SLICE_MS);
  let rows: TableRow[] = [];
  let bytes = 0;
  for (const ordinal of tail.winners()) {
    const row = tail.record(ordinal);
    if (isWanted(row, plan)) {
      rows.push(row);
      bytes += row.value!.length;
    }
    if (rows.length === CHUNK_ROWS || bytes >= CHUNK_BYTES) {
      yield await encoded(rows, pinned, plan, vectors);
      rows = [];
      bytes = 0;
    }
    if (pace.due) await pace.rest();
  }
  if (rows.length > 0) yield await encoded(rows, pinned, plan, vectors);
}

function isWanted(row: TableRow, { afterSeq, shard, filter, conditions }: ScanPlan): boolean {
  if (row.seq <= afterSeq || !mayHold(row, conditions)) return false;
  if (shard !== null && shardOf(row.partition, row.offset, shard.count) !== shard.index) return false;
  return filter === null || matches(filter, parsed(row.value!));
}

async function encoded(rows: TableRow[], pinned: Pinned, plan: ScanPlan, vectors: VectorSource | null): Promise<ScanRows> {
  const names = [...plan.columns, ...(plan.columns.includes('_seq') ? [] : ['_seq'])];
  const derived = await derivedOf(pinned.definition, plan.schema, rows, vectors);
  const { columns } = columnsOfRows(plan.schema, { rows, ...derived }, 0, rows.length, names);
  const seqs = new Int64Reader(columns[names.indexOf('_seq')]);
  const extra = plan.columns.indexOf('_extra');
  if (extra >= 0 && pinned.definition.schema === null) columns[extra] = plainExtra(columns[extra], rows.length);
  return { columns, selection: null, count: rows.length, seqAt: position => seqs.number(position) };
}
