import { type ColumnBatch, fieldsOf } from '../columns/column-batch.ts';
import { columnData } from '../columns/column-readers.ts';
import { columnGatherer } from '../columns/gather.ts';
import { readOffsets } from '../datasets/offsets.ts';
import type { ParquetOptions, ParquetRows } from '../datasets/parquet-rows.ts';
import type { ColumnScanOptions, ExpiredRecords, ExpiryBounds, ScanOptions, TableVersion } from '../table-store.ts';
import type { IndexableRow, TableCandidate, TableRow, TableSchema } from '../table-types.ts';
import { toDuckSql } from './condition-sql.ts';
import { expiryTest } from './expiry.ts';
import type { TableReads } from './table-reads.ts';

const SCAN_BATCH_ROWS = 8_192;

/** One immutable version of an Iceberg table, read by DuckDB from the files that its snapshots name. */
export class IcebergVersion implements TableVersion {
  readonly #schema: TableSchema;
  readonly #rows: TableReads;
  readonly #openChanges: (() => Promise<TableReads>) | null;
  #changes: Promise<TableReads> | null = null;
  #inSeqOrder: Promise<boolean> | null = null;

  constructor(schema: TableSchema, rows: TableReads, openChanges: (() => Promise<TableReads>) | null) {
    this.#schema = schema;
    this.#rows = rows;
    this.#openChanges = openChanges;
  }

  async byKeys(keys: readonly Uint8Array[]): Promise<TableRow[]> {
    return (await this.#rows.byKeys(this.#schema, keys)).map(({ row }) => row);
  }

  async searchText(): Promise<TableCandidate[]> {
    return [];
  }

  async searchVector(): Promise<TableCandidate[]> {
    return [];
  }

  async byOffsets(partition: number, first: number, last: number, limit: number): Promise<TableRow[]> {
    const parts = [this.#rows];
    if (this.#openChanges !== null) parts.push(await this.#changesReads(this.#openChanges));
    return readOffsets(first, last, limit, async (from, through) => {
      const found = await Promise.all(parts.map(part => part.byOffsets(this.#schema, partition, from, through)));
      return found.flat();
    });
  }

  async expired(bounds: ExpiryBounds, limit: number): Promise<ExpiredRecords> {
    const rows = await this.#expired(this.#rows, bounds, 'rows', limit);
    if (this.#openChanges === null) return { rows, changes: [] };
    return { rows, changes: await this.#expired(await this.#changesReads(this.#openChanges), bounds, 'changes', limit) };
  }

  async #expired(reads: TableReads, bounds: ExpiryBounds, kind: 'rows' | 'changes', limit: number): Promise<TableRow[]> {
    const test = expiryTest(bounds, kind, reads.fields);
    const found: TableRow[] = [];
    if (test === null) return found;
    for await (const rows of reads.rows(this.#schema, test.where, test.mayHold)) {
      found.push(...rows.slice(0, limit - found.length));
      if (found.length === limit) break;
    }
    return found;
  }

  async *scan(options: ScanOptions): AsyncGenerator<TableRow[]> {
    const batchRows = options.batchRows ?? SCAN_BATCH_ROWS;
    for await (const rows of this.#rows.rows(this.#schema, this.#sql(options.where))) {
      for (let start = 0; start < rows.length; start += batchRows) yield rows.slice(start, start + batchRows);
    }
  }

  async *scanIndexable(options: ScanOptions): AsyncGenerator<IndexableRow[]> {
    for await (const rows of this.scan(options)) yield rows.map(row => ({ row, text: null, vector: null }));
  }

  /** Nothing is ever found by search here. */
  async rowsOf(): Promise<TableRow[]> {
    return [];
  }

  async *scanColumns({ columns, where, ordered = false }: ColumnScanOptions): AsyncGenerator<ColumnBatch> {
    const sorted = ordered && !(await this.#liesInSeqOrder());
    const fields = fieldsOf(this.#schema, columns);
    for await (const { batch, live } of this.#rows.batches(columns, this.#sql(where), { sorted })) {
      if (live.length === 0) continue;
      const data = columns.map(name => columnData(batch, name));
      if (live.length === batch.numRows) {
        yield { rows: batch.numRows, columns: data };
        continue;
      }
      const gatherers = fields.map(field => columnGatherer(field!.type, live.length));
      for (const [at, gatherer] of gatherers.entries()) gatherer.take(data[at], Uint32Array.from(live), 0, live.length);
      yield { rows: live.length, columns: gatherers.map(gatherer => gatherer.finish()) };
    }
  }

  /** A version never changes, so it is looked at once. */
  #liesInSeqOrder(): Promise<boolean> {
    if (this.#inSeqOrder === null) {
      this.#inSeqOrder = this.#rows.liesInSeqOrder();
      this.#inSeqOrder.catch(() => {
        this.#inSeqOrder = null;
      });
    }
    return this.#inSeqOrder;
  }

  async parquet(options: ParquetOptions = {}): Promise<ParquetRows | null> {
    return (await this.#liesInSeqOrder()) ? this.#rows.parquet(options) : null;
  }

  countRows(where?: string | null): Promise<number> {
    return this.#rows.count(this.#sql(where));
  }

  async warm(): Promise<void> {}

  #sql(where: string | null | undefined): string | null {
    return where == null ? null : toDuckSql(where, this.#rows);
  }

  #changesReads(open: () => Promise<TableReads>): Promise<TableReads> {
    if (this.#changes !== null) return this.#changes;
    const opened = open();
    this.#changes = opened;
    opened.catch(() => {
      this.#changes = null;
    });
    return opened;
  }
}
