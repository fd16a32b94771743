import { type ArrowField, type ColumnGatherer, columnGatherer } from '../../lakehouse/index.ts';
import type { ScanRows } from './scan-rows.ts';
import type { ScanBatch } from './scan-types.ts';

const MAX_ROWS = 16_384;
const MAX_BYTES = 8 * 1024 * 1024;
/** Bytes are looked at after every so many rows of a batch: where batches end must not depend on how rows arrive. */
const STEP_ROWS = 128;

/** Puts rows together to batches that depend on the rows and their order alone. */
export class BatchAssembler {
  readonly #fields: readonly ArrowField[];
  #gatherers: ColumnGatherer[] = [];
  #rows = 0;
  #lastSeq = -1;
  #room: number;

  /** `limit`: rows to take altogether. */
  constructor(fields: readonly ArrowField[], limit: number) {
    this.#fields = fields;
    this.#room = limit;
  }

  get full(): boolean {
    return this.#room === 0;
  }

  *add({ columns, selection, count, seqAt }: ScanRows): Generator<ScanBatch> {
    const mostBytes = columns.reduce((sum, data) => sum + data.byteLength, 0);
    for (let start = 0; start < count && this.#room > 0; ) {
      // As long as no batch can become full of bytes within, steps make no difference.
      const isSmall = this.#rows === 0 ? mostBytes < MAX_BYTES : this.#bytes() + mostBytes < MAX_BYTES;
      const step = isSmall ? MAX_ROWS - this.#rows : STEP_ROWS - (this.#rows % STEP_ROWS);
      const take = Math.min(step, count - start, this.#room);
      if (this.#rows === 0) this.#begin();
      for (const [index, gatherer] of this.#gatherers.entries()) gatherer.take(columns[index], selection, start, start + take);
      start += take;
      this.#rows += take;
      this.#room -= take;
      this.#lastSeq = seqAt(selection === null ? start - 1 : selection[start - 1]);
      if (this.#rows === MAX_ROWS || (this.#rows % STEP_ROWS === 0 && this.#bytes() >= MAX_BYTES)) yield this.#batch();
    }
  }

  finish(): ScanBatch | null {
    return this.#rows === 0 ? null : this.#batch();
  }

  #bytes(): number {
    return this.#gatherers.reduce((sum, gatherer) => sum + gatherer.bytes, 0);
  }

  /** As a rule, the texts of a batch take about as much as those of the batch before. */
  #begin(): void {
    this.#gatherers = this.#fields.map((field, index) => {
      const before = this.#gatherers[index]?.bytes;
      return columnGatherer(field.type, MAX_ROWS, before === undefined ? undefined : before + (before >> 4));
    });
  }

  #batch(): ScanBatch {
    const batch = { rows: this.#rows, columns: this.#gatherers.map(gatherer => gatherer.finish()), lastSeq: this.#lastSeq };
    this.#rows = 0;
    return batch;
  }
}
