import type { RecordHeader } from '../../streams/index.ts';
import type { TableRow } from '../table-types.ts';
import type { ArrowBatch } from './arrow.ts';
import { BytesReader, columnData, Int64Reader, NumberReader } from './column-readers.ts';
import { decodeHeaders } from './headers.ts';
import { type DecodePlan, ValueDecoder } from './value-decoder.ts';

const NO_HEADERS: RecordHeader[] = [];

/** The records of a batch that holds `recordColumns`. */
export class RowDecoder {
  readonly #values: ValueDecoder;
  readonly #partition: NumberReader;
  readonly #offset: Int64Reader;
  readonly #seq: Int64Reader;
  readonly #key: BytesReader;
  readonly #time: Int64Reader;
  readonly #ingestedAt: Int64Reader;
  readonly #headers: BytesReader;
  readonly rows: number;

  constructor(plan: DecodePlan, batch: ArrowBatch) {
    this.rows = batch.numRows;
    this.#values = new ValueDecoder(plan, batch);
    this.#partition = new NumberReader(columnData(batch, '_partition'));
    this.#offset = new Int64Reader(columnData(batch, '_offset'));
    this.#seq = new Int64Reader(columnData(batch, '_seq'));
    this.#key = new BytesReader(columnData(batch, '_key'));
    this.#time = new Int64Reader(columnData(batch, '_time'));
    this.#ingestedAt = new Int64Reader(columnData(batch, '_ingested_at'));
    this.#headers = new BytesReader(columnData(batch, '_headers'));
  }

  row(at: number): TableRow {
    const headers = this.#headers.text(at);
    return {
      partition: this.#partition.number(at),
      offset: this.#offset.number(at),
      seq: this.#seq.number(at),
      key: this.#key.copy(at),
      timeMs: this.#time.number(at) / 1000,
      ingestedAtMs: this.#ingestedAt.number(at) / 1000,
      headers: headers === null ? NO_HEADERS : decodeHeaders(headers),
      value: this.#values.value(at),
    };
  }
}

export function decodeRows(plan: DecodePlan, batch: ArrowBatch): TableRow[] {
  const decoder = new RowDecoder(plan, batch);
  return Array.from({ length: decoder.rows }, (_, at) => decoder.row(at));
}
