import { type Clock, TailwaterError } from '../../base/index.ts';
import type { Pinned } from '../pinned.ts';
import { BatchAssembler } from './assembler.ts';
import type { VectorSource } from './derived-columns.ts';
import type { ScanBatch, ScanPlan } from './scan-types.ts';
import { tableRows } from './table-part.ts';
import { tailRows } from './tail-part.ts';

/**
 * The rows of a pinned instant, each once: the table's that the tail does not hide, then the tail's. All of the tail is newer than all of
 * the table, so in an ordered scan this is the order of the log, and a row's place and batch do not depend on which part it is in. `vectors`: for
 * `_embedding` of fresh rows.
 */
export async function* mergedScan(
  pinned: Pinned,
  plan: ScanPlan,
  clock: Clock,
  vectors: VectorSource | null = null,
): AsyncGenerator<ScanBatch> {
  const assembler = new BatchAssembler(plan.fields, plan.limit);
  let lastSeq = -1;
  for await (const rows of parts(pinned, plan, clock, vectors)) {
    for (const batch of assembler.add(rows)) {
      lastSeq = checkedOrder(plan, batch, lastSeq);
      yield batch;
    }
    if (assembler.full) break;
  }
  const last = assembler.finish();
  if (last !== null) {
    checkedOrder(plan, last, lastSeq);
    yield last;
  }
}

async function* parts(pinned: Pinned, plan: ScanPlan, clock: Clock, vectors: VectorSource | null) {
  if (pinned.table !== null) yield* tableRows(pinned, pinned.table, plan, clock);
  if (plan.tail) yield* tailRows(pinned, plan, clock, vectors);
}

/** A resumed scan leaves out what is not above a `_seq`, so an order that does not hold would lose rows. */
function checkedOrder(plan: ScanPlan, batch: ScanBatch, lastSeq: number): number {
  if (plan.ordered && batch.lastSeq <= lastSeq) {
    throw new TailwaterError('TW_INTERNAL', {
      detail: `Rows of a scan came out of order, at ${batch.lastSeq} after ${lastSeq}.`,
    });
  }
  return batch.lastSeq;
}
