import { readOffsets } from '../datasets/offsets.ts';
import type { ScanOptions, TableVersion } from '../table-store.ts';
import type { IndexableRow, TableCandidate, TableRow, TableSchema } from '../table-types.ts';
import { toDuckSql } from './condition-sql.ts';
import type { TableReads } from './table-reads.ts';

const SCAN_BATCH_ROWS = 8_192;

/** One immutable version of an Iceberg table, read by DuckDB from the files that its snapshots name. */
export class IcebergVersion implements TableVersion {
  readonly #schema: TableSchema;
  readonly #rows: TableReads;
  readonly #openChanges: (() => Promise<TableReads>) | null;
  #changes: Promise<TableReads> | null = null;

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

  async *scan(options: ScanOptions): AsyncGenerator<TableRow[]> {
    const batchRows = options.batchRows ?? SCAN_BATCH_ROWS;
    for await (const rows of this.#rows.rows(this.#schema, this.#sql(options.where))) {
      for (let start = 0; start < rows.length; start += batchRows) yield rows.slice(start, start + batchRows);
    }
  }

  async *scanIndexable(options: ScanOptions): AsyncGenerator<IndexableRow[]> {
    for await (const rows of this.scan(options)) yield rows.map(row => ({ row, text: null, vector: null }));
  }

  countRows(where?: string | null): Promise<number> {
    return this.#rows.count(this.#sql(where));
  }

  async warm(): Promise<void> {}

  #sql(where: string | null | undefined): string | null {
    return where == null ? null : toDuckSql(where, name => this.#rows.columnOf(name));
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
