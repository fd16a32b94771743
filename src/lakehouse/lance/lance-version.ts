import { MatchQuery, type Table } from '@lancedb/lancedb';
import type { ArrowBatch } from '../columns/arrow.ts';
import { recordColumns } from '../columns/arrow-schema.ts';
import { BytesReader, columnData, VectorReader } from '../columns/column-readers.ts';
import { decodeRows, RowDecoder } from '../columns/decode-rows.ts';
import { type DecodePlan, decodePlan } from '../columns/value-decoder.ts';
import { cosineDistance } from '../datasets/distance.ts';
import { readOffsets } from '../datasets/offsets.ts';
import type { TableVersion } from '../table-store.ts';
import type { TableCandidate, TableRow, TableSchema } from '../table-types.ts';
import { rowsByKeys } from './lance-dataset.ts';
import { offsetsPredicate } from './predicates.ts';

const SCAN_BATCH_ROWS = 8_192;

/** One immutable version of a table, read through LanceDB. */
export class LanceVersion implements TableVersion {
  readonly #schema: TableSchema;
  readonly #plan: DecodePlan;
  readonly #columns: string[];
  readonly #rows: Table;
  readonly #openChanges: (() => Promise<Table>) | null;
  #changes: Promise<Table> | null = null;

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
    const found = await search
      .select([...this.#columns, '_text', '_score'])
      .limit(limit)
      .toArrow();
    return found.batches.flatMap(batch => this.#textCandidates(batch));
  }

  async searchVector(vector: Float32Array, limit: number, where: string | null): Promise<TableCandidate[]> {
    if (this.#schema.dimensions === null || limit <= 0) return [];
    let search = this.#rows.query().nearestTo(vector).column('_embedding').distanceType('cosine');
    if (where !== null) search = search.where(where);
    const found = await search
      .select([...this.#columns, '_embedding', '_distance'])
      .limit(limit)
      .toArrow();
    const candidates = found.batches.flatMap(batch => this.#vectorCandidates(batch, vector));
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

  async *scan(options: { where?: string | null; batchRows?: number }): AsyncGenerator<TableRow[]> {
    const query = this.#rows.query().select(this.#columns);
    if (options.where != null) query.where(options.where);
    const batchRows = options.batchRows ?? SCAN_BATCH_ROWS;
    for await (const batch of query) {
      const decoder = new RowDecoder(this.#plan, batch);
      for (let start = 0; start < decoder.rows; start += batchRows) {
        const length = Math.min(batchRows, decoder.rows - start);
        yield Array.from({ length }, (_, at) => decoder.row(start + at));
      }
    }
  }

  countRows(where?: string | null): Promise<number> {
    return this.#rows.countRows(where ?? undefined);
  }

  #textCandidates(batch: ArrowBatch): TableCandidate[] {
    const texts = new BytesReader(columnData(batch, '_text'));
    return decodeRows(this.#plan, batch).map((row, at) => ({ ...row, text: texts.text(at) ?? '' }));
  }

  #vectorCandidates(batch: ArrowBatch, vector: Float32Array): TableCandidate[] {
    const vectors = new VectorReader(columnData(batch, '_embedding'), vector.length);
    const rows = decodeRows(this.#plan, batch).map((row, at) => ({ row, at }));
    return rows
      .filter(({ at }) => !vectors.isNull(at))
      .map(({ row, at }) => ({ ...row, distance: cosineDistance(vector, vectors.vector(at)) }));
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
