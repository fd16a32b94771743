import { isUtf8 } from 'node:buffer';
import type { ChangedRow, TableRows } from '../table-store.ts';
import type { TableRow, TableSchema } from '../table-types.ts';
import { type ArrowData, type ArrowSchema, type ArrowTable, arrow } from './arrow.ts';
import { arrowSchema } from './arrow-schema.ts';
import { BoolBuilder, BytesBuilder, type ColumnBuilder, Int64Builder, NumberBuilder, VectorBuilder } from './builders.ts';
import { encodeHeaders } from './headers.ts';
import { NO_VALUE } from './layout.ts';
import { ValueEncoder } from './value-encoder.ts';
import { valueTree } from './value-tree.ts';

/** Rows [start, end) of `rows` as an Arrow table of one record batch, with the columns of the `rows` dataset. */
export function encodeRows(schema: TableSchema, rows: TableRows, start: number, end: number): ArrowTable {
  const encoder = new RowEncoder(schema, end - start);
  for (let row = start; row < end; row++) encoder.add(row - start, rows.rows[row]);
  const derived: [string, ColumnBuilder][] = [];
  if (schema.text) derived.push(['_text', textColumn(rows.texts, start, end)]);
  if (schema.dimensions !== null) derived.push(['_embedding', vectorColumn(schema.dimensions, rows, start, end)]);
  return encoder.finish(arrowSchema(schema, 'rows'), derived);
}

/** The same for the `changes` dataset. */
export function encodeChanges(schema: TableSchema, changes: readonly ChangedRow[], start: number, end: number): ArrowTable {
  const encoder = new RowEncoder(schema, end - start);
  const superseded = new Int64Builder(end - start);
  for (let row = start; row < end; row++) {
    encoder.add(row - start, changes[row].row);
    superseded.set(row - start, microseconds(changes[row].supersededAtMs));
  }
  return encoder.finish(arrowSchema(schema, 'changes'), [['_superseded_at', superseded]]);
}

/** The text that keys are looked up by: the key itself, or `base64:…` when its bytes are not UTF-8. Two keys may share it. */
export function keyText(key: Uint8Array): string {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return isUtf8(bytes) ? bytes.toString() : `base64:${bytes.toString('base64')}`;
}

class RowEncoder {
  readonly #rows: number;
  readonly #values: ValueEncoder;
  readonly #partition: NumberBuilder;
  readonly #offset: Int64Builder;
  readonly #seq: Int64Builder;
  readonly #key: BytesBuilder;
  readonly #keyText: BytesBuilder;
  readonly #time: Int64Builder;
  readonly #ingestedAt: Int64Builder;
  readonly #headers: BytesBuilder;
  readonly #extra: BytesBuilder;
  readonly #layout: BytesBuilder;
  readonly #raw: BytesBuilder;
  readonly #schema: TableSchema;

  constructor(schema: TableSchema, rows: number) {
    this.#schema = schema;
    this.#rows = rows;
    this.#values = new ValueEncoder(valueTree(schema), schema.columns, rows);
    this.#partition = new NumberBuilder(new Int32Array(rows));
    this.#offset = new Int64Builder(rows);
    this.#seq = new Int64Builder(rows);
    this.#key = new BytesBuilder(rows, 16);
    this.#keyText = new BytesBuilder(rows, 16);
    this.#time = new Int64Builder(rows);
    this.#ingestedAt = new Int64Builder(rows);
    this.#headers = new BytesBuilder(rows, 0);
    this.#extra = new BytesBuilder(rows, 0);
    this.#layout = new BytesBuilder(rows, 0);
    this.#raw = new BytesBuilder(rows, 0);
  }

  add(at: number, row: TableRow): void {
    this.#partition.set(at, row.partition);
    this.#offset.set(at, row.offset);
    this.#seq.set(at, row.seq);
    this.#time.set(at, microseconds(row.timeMs));
    this.#ingestedAt.set(at, microseconds(row.ingestedAtMs));
    if (row.key !== null) this.#addKey(at, row.key);
    if (row.headers.length > 0) this.#headers.setText(at, encodeHeaders(row.headers));
    if (row.value === null) this.#layout.setText(at, NO_VALUE);
    else this.#addValue(at, row.value);
  }

  finish(schema: ArrowSchema, derived: readonly [string, ColumnBuilder][]): ArrowTable {
    const builders = new Map<string, ColumnBuilder>([
      ['_partition', this.#partition],
      ['_offset', this.#offset],
      ['_seq', this.#seq],
      ['_key', this.#key],
      ['_key_text', this.#keyText],
      ['_time', this.#time],
      ['_ingested_at', this.#ingestedAt],
      ['_headers', this.#headers],
      ['_extra', this.#extra],
      ['_layout', this.#layout],
      ['_raw', this.#raw],
      ...derived,
      ...this.#schema.columns.map((column, index): [string, ColumnBuilder] => [column.name, this.#values.builders[index]]),
    ]);
    // Of a boolean column of nulls only, Arrow's writer leaves the buffer out, which Lance's reader refuses; a column that is absent is null.
    const fields = schema.fields.filter(({ name }) => {
      const builder = builders.get(name);
      return !(builder instanceof BoolBuilder && builder.isEmpty);
    });
    const children = fields.map(field => builders.get(field.name)!.finish(field.type));
    return tableOf(new arrow.Schema(fields), children, this.#rows);
  }

  #addKey(at: number, key: Uint8Array): void {
    this.#key.set(at, key, 0, key.length);
    if (isUtf8(key)) this.#keyText.set(at, key, 0, key.length);
    else this.#keyText.setText(at, keyText(key));
  }

  #addValue(at: number, value: Uint8Array): void {
    const { extra, layout, exact } = this.#values.encode(at, value);
    if (extra !== null) this.#extra.setText(at, extra);
    if (layout !== null) this.#layout.setText(at, layout);
    if (!exact) this.#raw.set(at, value, 0, value.length);
  }
}

export function tableOf(schema: ArrowSchema, children: ArrowData[], rows: number): ArrowTable {
  const struct = arrow.makeData({ type: new arrow.Struct(schema.fields), length: rows, nullCount: 0, children });
  return new arrow.Table(schema, [new arrow.RecordBatch(schema, struct)]);
}

function textColumn(texts: readonly (string | null)[] | undefined, start: number, end: number): BytesBuilder {
  const builder = new BytesBuilder(end - start, 64);
  for (let row = start; row < end; row++) {
    const text = texts?.[row] ?? null;
    if (text !== null) builder.setText(row - start, text);
  }
  return builder;
}

function vectorColumn(dimensions: number, rows: TableRows, start: number, end: number): VectorBuilder {
  const builder = new VectorBuilder(end - start, dimensions);
  for (let row = start; row < end; row++) {
    if (rows.hasVector?.[row] && rows.vectors) builder.set(row - start, rows.vectors, row * dimensions);
  }
  return builder;
}

/** Event times may carry microseconds as a fraction. */
function microseconds(timeMs: number): number {
  return Math.round(timeMs * 1000);
}
