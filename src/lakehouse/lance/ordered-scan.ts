import type { Table } from '@lancedb/lancedb';
import type { ArrowData } from '../columns/arrow.ts';
import { type ColumnBatch, fieldsOf } from '../columns/column-batch.ts';
import { columnData, Int64Reader } from '../columns/column-readers.ts';
import { columnGatherer } from '../columns/gather.ts';
import type { TableSchema } from '../table-types.ts';

const TAKE_ROWS = 8_192;

/** Whether the rows lie in rising `_seq`: compactions append in log order, so they do until rows are moved, as a late vector moves its row. */
export async function isInSeqOrder(rows: Table): Promise<boolean> {
  let before = -1;
  for await (const batch of rows.query().select(['_seq'])) {
    const seqs = new Int64Reader(columnData(batch, '_seq'));
    for (let at = 0; at < batch.numRows; at++) {
      const seq = seqs.number(at);
      if (seq < before) return false;
      before = seq;
    }
  }
  return true;
}

/** Sorts 16 bytes a row in memory, then fetches the rows by their ids, a batch at a time. */
export async function* scanInSeqOrder(
  rows: Table,
  schema: TableSchema,
  columns: readonly string[],
  where: string | null,
): AsyncGenerator<ColumnBatch> {
  const { ids, order } = await sortedIds(rows, where);
  for (let start = 0; start < order.length; start += TAKE_ROWS) {
    yield take(
      rows,
      schema,
      columns,
      Array.from(order.subarray(start, start + TAKE_ROWS), at => ids[at]),
    );
  }
}

async function sortedIds(rows: Table, where: string | null): Promise<{ ids: bigint[]; order: Uint32Array }> {
  const query = rows.query().select(['_seq', '_rowid']).withRowId();
  if (where !== null) query.where(where);
  const ids: bigint[] = [];
  const seqs: number[] = [];
  for await (const batch of query) {
    const batchIds: BigUint64Array = columnData(batch, '_rowid').values;
    const batchSeqs = new Int64Reader(columnData(batch, '_seq'));
    for (let at = 0; at < batch.numRows; at++) {
      ids.push(batchIds[at]);
      seqs.push(batchSeqs.number(at));
    }
  }
  const order = Uint32Array.from(seqs, (_, at) => at).sort((a, b) => seqs[a] - seqs[b]);
  return { ids, order };
}

/** These rows, in the order of their ids here: LanceDB returns them in an order of its own. */
async function take(rows: Table, schema: TableSchema, columns: readonly string[], ids: bigint[]): Promise<ColumnBatch> {
  const found = await rows
    .takeRowIds(ids)
    .select([...columns])
    .withRowId()
    .toArrow();
  const places = new Map<bigint, { batch: number; row: number }>();
  const data: ArrowData[][] = [];
  for (const [index, batch] of found.batches.entries()) {
    const batchIds: BigUint64Array = columnData(batch, '_rowid').values;
    for (let row = 0; row < batch.numRows; row++) places.set(batchIds[row], { batch: index, row });
    data.push(columns.map(name => columnData(batch, name)));
  }
  const gatherers = fieldsOf(schema, columns).map(field => columnGatherer(field!.type, ids.length));
  const one = new Uint32Array(1);
  for (const id of ids) {
    const { batch, row } = places.get(id)!;
    one[0] = row;
    for (const [column, gatherer] of gatherers.entries()) gatherer.take(data[batch][column], one, 0, 1);
  }
  return { rows: ids.length, columns: gatherers.map(gatherer => gatherer.finish()) };
}
