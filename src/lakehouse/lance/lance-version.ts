import { MatchQuery, type Table } from '@lancedb/lancedb';
import { TailwaterError } from '../../base/index.ts';
import type { ArrowBatch, ArrowTable } from '../columns/arrow.ts';
import { recordColumns } from '../columns/arrow-schema.ts';
import type { ColumnBatch } from '../columns/column-batch.ts';
import { BytesReader, columnData, Int64Reader, NumberReader, VectorReader } from '../columns/column-readers.ts';
import { decodeRows, RowDecoder } from '../columns/decode-rows.ts';
import { type DecodePlan, decodePlan } from '../columns/value-decoder.ts';
import { readOffsets } from '../datasets/offsets.ts';
import type {
  CandidateDetail,
  ColumnScanOptions,
  ExpiredRecords,
  ExpiryBounds,
  ScanOptions,
  TableVersion,
} from '../table-store.ts';
import type { IndexableRow, TableCandidate, TableRow, TableSchema } from '../table-types.ts';
import { rowsByKeys } from './lance-dataset.ts';
import { isInSeqOrder, scanInSeqOrder } from './ordered-scan.ts';
import { expiredPredicate, offsetsPredicate } from './predicates.ts';

const SCAN_BATCH_ROWS = 8_192;

/** Partitions of a vector index that a search visits, LanceDB's own default: recall@10 is 1.0 on 100,000 hashed texts. Ignored without an index. */
const VECTOR_PROBES = 20;

/** What a candidate without its row is made of. */
const RANKING_COLUMNS = ['_seq', '_key', '_time'];

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

  async searchText(
    query: string,
    limit: number,
    where: string | null,
    detail: CandidateDetail = 'rows',
  ): Promise<TableCandidate[]> {
    if (!this.#schema.text || limit <= 0) return [];
    let search = this.#rows.query().fullTextSearch(new MatchQuery(query, '_text'));
    if (where !== null) search = search.where(where);
    const found = await search.select(['_rowid', '_score']).withRowId().limit(limit).toArrow();
    const ids = [...rowIds(found, '_score').keys()];
    return this.#take(ids, [...this.#columnsOf(detail), '_text'], batch => {
      const read = this.#candidateReader(batch, detail);
      const texts = new BytesReader(columnData(batch, '_text'));
      return (at, id) => ({ ...read(at, id), text: texts.text(at) ?? '' });
    });
  }

  async searchVector(
    vector: Float32Array,
    limit: number,
    where: string | null,
    detail: CandidateDetail = 'rows',
  ): Promise<TableCandidate[]> {
    const { dimensions } = this.#schema;
    if (dimensions === null || limit <= 0) return [];
    let search = this.#rows.query().nearestTo(vector).column('_embedding').distanceType('cosine').nprobes(VECTOR_PROBES);
    if (where !== null) search = search.where(where);
    const found = await search.select(['_rowid', '_distance']).withRowId().limit(limit).toArrow();
    const nearest = rowIds(found, '_distance');
    const candidates = await this.#take([...nearest.keys()], [...this.#columnsOf(detail), '_embedding'], batch => {
      const read = this.#candidateReader(batch, detail);
      const vectors = new VectorReader(columnData(batch, '_embedding'), dimensions);
      return (at, id) => ({ ...read(at, id), distance: nearest.get(id)!, vector: vectors.vector(at)!.slice() });
    });
    return candidates.sort((a, b) => a.distance - b.distance || b.seq - a.seq);
  }

  async rowsOf(candidates: readonly TableCandidate[]): Promise<TableRow[]> {
    const ids = candidates.map(({ id }) => id);
    const rows = await this.#take(ids, this.#columns, batch => {
      const decoder = new RowDecoder(this.#plan, batch);
      return at => decoder.row(at);
    });
    if (rows.length !== ids.length) {
      throw new TailwaterError('TW_DATA_DAMAGED', {
        detail: `The table found ${ids.length} rows by search and has ${rows.length} of them.`,
      });
    }
    return rows;
  }

  #columnsOf(detail: CandidateDetail): string[] {
    return detail === 'rows' ? this.#columns : RANKING_COLUMNS;
  }

  #candidateReader(batch: ArrowBatch, detail: CandidateDetail): (at: number, id: bigint) => TableCandidate {
    if (detail === 'rows') {
      const decoder = new RowDecoder(this.#plan, batch);
      return (at, id) => {
        const row = decoder.row(at);
        return { id, seq: row.seq, key: row.key, timeMs: row.timeMs, row };
      };
    }
    const seqs = new Int64Reader(columnData(batch, '_seq'));
    const keys = new BytesReader(columnData(batch, '_key'));
    const times = new Int64Reader(columnData(batch, '_time'));
    return (at, id) => ({ id, seq: seqs.number(at), key: keys.copy(at), timeMs: times.number(at) / 1000 });
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

  async expired(bounds: ExpiryBounds, limit: number): Promise<ExpiredRecords> {
    const ofRows = expiredPredicate(bounds, 'rows');
    const ofChanges = expiredPredicate(bounds, 'changes');
    const changes = ofChanges === null ? null : await this.#changesTable();
    return {
      rows: ofRows === null ? [] : await this.#read(this.#rows, ofRows, limit),
      changes: changes === null ? [] : await this.#read(changes, ofChanges!, limit),
    };
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

  /** DuckDB reads no Lance. */
  async parquet(): Promise<null> {
    return null;
  }

  countRows(where?: string | null): Promise<number> {
    return this.#rows.countRows(where ?? undefined);
  }

  /**
   * The rows with these ids, in this order. Searching for ids and fetching their columns in a second call is faster than one query for
   * both: LanceDB fetches by id in parallel, and late columns of a search one after the other.
   */
  async #take<T>(
    ids: readonly bigint[],
    columns: string[],
    readerOf: (batch: ArrowBatch) => (at: number, id: bigint) => T,
  ): Promise<T[]> {
    if (ids.length === 0) return [];
    const found = await this.#rows
      .takeRowIds([...ids])
      .select(columns)
      .withRowId()
      .toArrow();
    const byId = new Map<bigint, T>();
    for (const batch of found.batches) {
      const taken: BigUint64Array = columnData(batch, '_rowid').values;
      const read = readerOf(batch);
      for (let at = 0; at < batch.numRows; at++) byId.set(taken[at], read(at, taken[at]));
    }
    return ids.filter(id => byId.has(id)).map(id => byId.get(id)!);
  }

  async #read(table: Table, where: string, limit?: number): Promise<TableRow[]> {
    const query = table.query().where(where).select(this.#columns);
    const found = await (limit === undefined ? query : query.limit(limit)).toArrow();
    return found.batches.flatMap(batch => decodeRows(this.#plan, batch));
  }

  async #changesTable(): Promise<Table | null> {
    if (this.#openChanges === null) return null;
    this.#changes ??= this.#openChanges();
    return this.#changes;
  }
}

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
