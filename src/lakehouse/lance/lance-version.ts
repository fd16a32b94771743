import { MatchQuery, type Table } from '@lancedb/lancedb';
import type { ArrowBatch, ArrowTable } from '../columns/arrow.ts';
import { recordColumns } from '../columns/arrow-schema.ts';
import type { ColumnBatch } from '../columns/column-batch.ts';
import { BytesReader, columnData, NumberReader, VectorReader } from '../columns/column-readers.ts';
import { decodeRows, RowDecoder } from '../columns/decode-rows.ts';
import { type DecodePlan, decodePlan } from '../columns/value-decoder.ts';
import { readOffsets } from '../datasets/offsets.ts';
import type { ColumnScanOptions, ScanOptions, TableVersion } from '../table-store.ts';
import type { IndexableRow, TableCandidate, TableRow, TableSchema } from '../table-types.ts';
import { rowsByKeys } from './lance-dataset.ts';
import { isInSeqOrder, scanInSeqOrder } from './ordered-scan.ts';
import { offsetsPredicate } from './predicates.ts';

const SCAN_BATCH_ROWS = 8_192;

/** Partitions of a vector index that a search visits. Ignored without an index. */
const VECTOR_PROBES = 32;

/** One immutable version of a table, read through LanceDB. */
export class LanceVersion implements TableVersion {
  readonly #schema: TableSchema;
  readonly #plan: DecodePlan;
  readonly #columns: string[];
  readonly #rows: Table;
  readonly #openChanges: (() => Promise<Table>) | null;
  #changes: Promise<Table> | null = null;
  #inSeqOrder: Promise<boolean> | null = null;

  constructor(schema: TableSchema, rows: Table, openChanges: (() => Promise<Table>) | null) {
    this.#schema = schema;
    this.#plan = decodePlan(schema);
    this.#columns = recordColumns(schema);
    this.#rows = rows;
    this.#openChanges = openChanges;
  }

  byKeys(keys: readonly Uint8Array[]): Promise<TableRow[]> {
    return rowsByKeys(this.#rows, this.#schema, keys);
  }

  async searchText(query: string, limit: number, where: string | null): Promise<TableCandidate[]> {
    if (!this.#schema.text || limit <= 0) return [];
    let search = this.#rows.query().fullTextSearch(new MatchQuery(query, '_text'));
    if (where !== null) search = search.where(where);
    const found = await search.select(['_rowid', '_score']).withRowId().limit(limit).toArrow();
    return this.#take(rowIds(found, '_score'), [...this.#columns, '_text'], batch => {
      const texts = new BytesReader(columnData(batch, '_text'));
      return (row, at) => ({ ...row, text: texts.text(at) ?? '' });
    });
  }

  async searchVector(vector: Float32Array, limit: number, where: string | null): Promise<TableCandidate[]> {
    if (this.#schema.dimensions === null || limit <= 0) return [];
    let search = this.#rows.query().nearestTo(vector).column('_embedding').distanceType('cosine').nprobes(VECTOR_PROBES);
    if (where !== null) search = search.where(where);
    const found = await search.select(['_rowid', '_distance']).withRowId().limit(limit).toArrow();
    const nearest = rowIds(found, '_distance');
    const candidates = await this.#take(nearest, this.#columns, () => (row, _at, id) => ({ ...row, distance: nearest.get(id)! }));
    return candidates.sort((a, b) => a.distance! - b.distance! || b.seq - a.seq);
  }

  async byOffsets(partition: number, first: number, last: number, limit: number): Promise<TableRow[]> {
    const changes = await this.#changesTable();
    return readOffsets(first, last, limit, async (from, through) => {
      const where = offsetsPredicate(partition, from, through);
      const parts = [this.#read(this.#rows, where)];
      if (changes !== null) parts.push(this.#read(changes, where));
      return (await Promise.all(parts)).flat();
    });
  }

  async *scan(options: ScanOptions): AsyncGenerator<TableRow[]> {
    yield* this.#scan(options, this.#columns, batch => {
      const decoder = new RowDecoder(this.#plan, batch);
      return at => decoder.row(at);
    });
  }

  async *scanIndexable(options: ScanOptions): AsyncGenerator<IndexableRow[]> {
    const { text, dimensions } = this.#schema;
    const columns = [...this.#columns, ...(text ? ['_text'] : []), ...(dimensions === null ? [] : ['_embedding'])];
    yield* this.#scan(options, columns, batch => {
      const decoder = new RowDecoder(this.#plan, batch);
      const texts = text ? new BytesReader(columnData(batch, '_text')) : null;
      const vectors = dimensions === null ? null : new VectorReader(columnData(batch, '_embedding'), dimensions);
      return at => ({ row: decoder.row(at), text: texts?.text(at) ?? null, vector: vectors?.vector(at) ?? null });
    });
  }

  async *scanColumns({ columns, where = null, ordered = false }: ColumnScanOptions): AsyncGenerator<ColumnBatch> {
    if (ordered && !(await this.#liesInSeqOrder())) {
      yield* scanInSeqOrder(this.#rows, this.#schema, columns, where);
      return;
    }
    const query = this.#rows.query().select([...columns]);
    if (where !== null) query.where(where);
    for await (const batch of query) {
      yield { rows: batch.numRows, columns: columns.map(name => columnData(batch, name)) };
    }
  }

  /** A version never changes, so it is looked at once. */
  #liesInSeqOrder(): Promise<boolean> {
    if (this.#inSeqOrder === null) {
      this.#inSeqOrder = isInSeqOrder(this.#rows);
      this.#inSeqOrder.catch(() => {
        this.#inSeqOrder = null;
      });
    }
    return this.#inSeqOrder;
  }

  async *#scan<T>(
    options: ScanOptions,
    columns: string[],
    readerOf: (batch: ArrowBatch) => (at: number) => T,
  ): AsyncGenerator<T[]> {
    const query = this.#rows.query().select(columns);
    if (options.where != null) query.where(options.where);
    const batchRows = options.batchRows ?? SCAN_BATCH_ROWS;
    for await (const batch of query) {
      const read = readerOf(batch);
      for (let start = 0; start < batch.numRows; start += batchRows) {
        const length = Math.min(batchRows, batch.numRows - start);
        yield Array.from({ length }, (_, at) => read(start + at));
      }
    }
  }

  /** A search of each kind: LanceDB opens fragments and indexes when it first needs them, which can cost as much as ten searches. */
  async warm(): Promise<void> {
    const vector = new Float32Array(this.#schema.dimensions ?? 0).fill(1);
    await Promise.all([this.searchText('a', 1, null), this.searchVector(vector, 1, null)]);
  }

  countRows(where?: string | null): Promise<number> {
    return this.#rows.countRows(where ?? undefined);
  }

  /**
   * The rows with these ids, in this order. Searching for ids and fetching their columns in a second call is faster than one query for
   * both: LanceDB fetches by id in parallel, and late columns of a search one after the other.
   */
  async #take(ids: ReadonlyMap<bigint, number>, columns: string[], completer: Completer): Promise<TableCandidate[]> {
    if (ids.size === 0) return [];
    const found = await this.#rows
      .takeRowIds([...ids.keys()])
      .select(columns)
      .withRowId()
      .toArrow();
    const byId = new Map<bigint, TableCandidate>();
    for (const batch of found.batches) {
      const taken: BigUint64Array = columnData(batch, '_rowid').values;
      const decoder = new RowDecoder(this.#plan, batch);
      const complete = completer(batch);
      for (let at = 0; at < decoder.rows; at++) byId.set(taken[at], complete(decoder.row(at), at, taken[at]));
    }
    return [...ids.keys()].map(id => byId.get(id)).filter(candidate => candidate !== undefined);
  }

  async #read(table: Table, where: string): Promise<TableRow[]> {
    const found = await table.query().where(where).select(this.#columns).toArrow();
    return found.batches.flatMap(batch => decodeRows(this.#plan, batch));
  }

  async #changesTable(): Promise<Table | null> {
    if (this.#openChanges === null) return null;
    this.#changes ??= this.#openChanges();
    return this.#changes;
  }
}

/** Makes a candidate of a row, given its position in the batch and its id. */
type Completer = (batch: ArrowBatch) => (row: TableRow, at: number, id: bigint) => TableCandidate;

/** Row ids of a search, best first, with what it says about each. Without a value (a null vector), a row is no result. */
function rowIds(found: ArrowTable, about: string): Map<bigint, number> {
  const ids = new Map<bigint, number>();
  for (const batch of found.batches) {
    const batchIds: BigUint64Array = columnData(batch, '_rowid').values;
    const values = new NumberReader(columnData(batch, about));
    for (let at = 0; at < batch.numRows; at++) if (!values.isNull(at)) ids.set(batchIds[at], values.number(at));
  }
  return ids;
}
