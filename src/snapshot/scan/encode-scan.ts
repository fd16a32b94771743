import { type ArrowField, arrow, encodeBatch, encodeEnd, encodeSchema } from '../../lakehouse/index.ts';
import { cellEncoder } from './encode-cells.ts';
import type { ScanBatch } from './scan-types.ts';
import type { OpenScan } from './scanner.ts';

/**
 * A scan as an Arrow IPC stream. The schema's metadata has `tailwater.token` and `tailwater.freshness`. A stream that fails has no end
 * marker, and throws.
 */
export async function* arrowStream({ fields, token, freshness, batches }: OpenScan): AsyncGenerator<Uint8Array> {
  const metadata = new Map([
    ['tailwater.token', token],
    ['tailwater.freshness', JSON.stringify(freshness)],
  ]);
  yield encodeSchema(new arrow.Schema(fields, metadata));
  for await (const batch of batches) yield encodeBatch(batch);
  yield encodeEnd();
}

/** A JSON object a line, with every column in order; see `cellEncoder`. */
export async function* ndjsonLines({ fields, jsonColumns, batches }: OpenScan): AsyncGenerator<Uint8Array> {
  const names = fields.map(field => JSON.stringify(field.name));
  for await (const batch of batches) yield encodeLines(fields, names, jsonColumns, batch);
}

function encodeLines(fields: ArrowField[], names: string[], jsonColumns: ReadonlySet<string>, batch: ScanBatch): Uint8Array {
  const cells = fields.map((field, index) => cellEncoder(field, batch.columns[index], jsonColumns.has(field.name)));
  const lines: string[] = [];
  for (let row = 0; row < batch.rows; row++) {
    let line = '{';
    for (let column = 0; column < cells.length; column++) {
      line += `${column === 0 ? '' : ','}${names[column]}:${cells[column](row) ?? 'null'}`;
    }
    lines.push(`${line}}\n`);
  }
  return Buffer.from(lines.join(''));
}
