import type { Table } from '@lancedb/lancedb';
import { byteString } from '../../base/index.ts';
import type { ArrowTable } from '../columns/arrow.ts';
import { arrow } from '../columns/arrow.ts';
import { recordColumns, userField } from '../columns/arrow-schema.ts';
import { BytesReader, columnData, Int64Reader, NumberReader } from '../columns/column-readers.ts';
import { RowDecoder } from '../columns/decode-rows.ts';
import { encodeChanges, encodeRows } from '../columns/encode-rows.ts';
import { quotedName } from '../columns/sql.ts';
import { decodePlan } from '../columns/value-decoder.ts';
import type { Dataset, IndexKind, PositionBatch } from '../datasets/dataset.ts';
import type { ChangedRow, TableRows } from '../table-store.ts';
import type { TableColumn, TableRow, TableSchema } from '../table-types.ts';
import { abovePredicate, keysPredicate, seqsPredicate } from './predicates.ts';
import { createIndex, historyExpired, indexKind, isMissingVersion } from './session.ts';

const WIDENING = '_widening';

/** A LanceDB table handle as a Dataset. */
export class LanceDataset implements Dataset {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  version(): Promise<number> {
    return this.#table.version();
  }

  checkoutLatest(): Promise<void> {
    return this.#table.checkoutLatest();
  }

  async checkout(version: number): Promise<void> {
    try {
      await this.#table.checkout(version);
    } catch (error) {
      throw isMissingVersion(error) ? historyExpired(`Version ${version}`, error) : error;
    }
  }

  restore(): Promise<void> {
    return this.#table.restore();
  }

  appendRows(schema: TableSchema, rows: TableRows, start: number, end: number): Promise<void> {
    return this.#add(encodeRows(schema, rows, start, end));
  }

  appendChanges(schema: TableSchema, changes: readonly ChangedRow[], start: number, end: number): Promise<void> {
    return this.#add(encodeChanges(schema, changes, start, end));
  }

  async columnNames(): Promise<string[]> {
    return (await this.#table.schema()).fields.map(field => field.name);
  }

  async addColumns(columns: readonly TableColumn[]): Promise<void> {
    await this.#table.addColumns(new arrow.Schema(columns.map(userField)));
  }

  /** Lance casts only within integers or within floats, so the column is computed anew and takes over the name. */
  widening(column: TableColumn): (() => Promise<void>)[] {
    const table = this.#table;
    const valueSql = `CAST(${quotedName(column.name)} AS DOUBLE)`;
    return [
      async () => void (await table.addColumns([{ name: WIDENING, valueSql }])),
      async () => void (await table.dropColumns([column.name])),
      async () => void (await table.alterColumns([{ path: WIDENING, rename: column.name }])),
    ];
  }

  async deleteSeqs(seqs: readonly number[]): Promise<void> {
    await this.#table.delete(seqsPredicate(seqs));
  }

  async byKeys(schema: TableSchema, keys: readonly Uint8Array[]): Promise<TableRow[]> {
    return rowsByKeys(this.#table, schema, keys);
  }

  async bySeqs(schema: TableSchema, seqs: readonly number[]): Promise<{ row: TableRow; text: string | null }[]> {
    const columns = schema.text ? [...recordColumns(schema), '_text'] : recordColumns(schema);
    const plan = decodePlan(schema);
    const found: { row: TableRow; text: string | null }[] = [];
    for await (const batch of this.#table.query().where(seqsPredicate(seqs)).select(columns)) {
      const decoder = new RowDecoder(plan, batch);
      const texts = schema.text ? new BytesReader(columnData(batch, '_text')) : null;
      for (let at = 0; at < decoder.rows; at++) found.push({ row: decoder.row(at), text: texts?.text(at) ?? null });
    }
    return found;
  }

  createIndex(index: IndexKind): Promise<void> {
    return createIndex(this.#table, index);
  }

  async indexes(): Promise<Set<IndexKind>> {
    const kinds = (await this.#table.listIndices()).map(indexKind);
    return new Set(kinds.filter(kind => kind !== undefined));
  }

  /** Without a date in the far past, LanceDB would prune by age, and fail on old tags. */
  async optimize(): Promise<void> {
    await this.#table.optimize({ cleanupOlderThan: new Date(0) });
  }

  countRows(): Promise<number> {
    return this.#table.countRows();
  }

  countRaw(): Promise<number> {
    return this.#table.countRows('_raw IS NOT NULL');
  }

  async *positions(above: readonly number[] | null): AsyncGenerator<PositionBatch> {
    const query = this.#table.query().select(['_partition', '_offset']);
    if (above !== null) query.where(abovePredicate(above));
    for await (const batch of query) {
      const partitions = new NumberReader(columnData(batch, '_partition'));
      const offsets = new Int64Reader(columnData(batch, '_offset'));
      yield { count: batch.numRows, partition: at => partitions.number(at), offset: at => offsets.number(at) };
    }
  }

  async #add(table: ArrowTable): Promise<void> {
    await this.#table.add(table);
  }
}

/** Finds by the indexed text of the key, then keeps what has exactly one of the keys. */
export async function rowsByKeys(table: Table, schema: TableSchema, keys: readonly Uint8Array[]): Promise<TableRow[]> {
  if (keys.length === 0) return [];
  const wanted = new Set(keys.map(byteString));
  const plan = decodePlan(schema);
  const rows: TableRow[] = [];
  for await (const batch of table.query().where(keysPredicate(keys)).select(recordColumns(schema))) {
    const decoder = new RowDecoder(plan, batch);
    for (let at = 0; at < decoder.rows; at++) {
      const row = decoder.row(at);
      if (row.key !== null && wanted.has(byteString(row.key))) rows.push(row);
    }
  }
  return rows;
}
