import { analyze, BM25_DEFAULTS, Bm25 } from '../../streams/index.ts';
import { type ColumnBatch, columnsOfRows } from '../columns/column-batch.ts';
import { cosineDistance } from '../datasets/distance.ts';
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
import { type Content, rowsOfKeys, type StoredRow } from './memory-dataset.ts';
import { rowsWhere } from './row-values.ts';

const SCAN_BATCH_ROWS = 1_000;

/** One immutable version of the model: everything by full scan. */
export class MemoryVersion implements TableVersion {
  readonly #schema: TableSchema;
  readonly #rows: Content;
  readonly #changes: Content | null;
  readonly #terms = new WeakMap<StoredRow, string[]>();

  constructor(schema: TableSchema, rows: Content, changes: Content | null) {
    this.#schema = schema;
    this.#rows = rows;
    this.#changes = changes;
  }

  async byKeys(keys: readonly Uint8Array[]): Promise<TableRow[]> {
    return rowsOfKeys(this.#rows, keys);
  }

  async searchText(
    query: string,
    limit: number,
    where: string | null,
    detail: CandidateDetail = 'rows',
  ): Promise<TableCandidate[]> {
    const terms = [...new Set(analyze(query))];
    const documents = this.#rows.rows.filter(stored => stored.text !== null);
    const bm25 = this.#bm25(documents, terms);
    const found = rowsWhere(this.#schema, documents, where).map(stored => ({ stored, score: this.#score(stored, terms, bm25) }));
    return found
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score || b.stored.row.seq - a.stored.row.seq)
      .slice(0, limit)
      .map(({ stored }) => ({ ...candidateOf(stored, detail), text: stored.text! }));
  }

  async searchVector(
    vector: Float32Array,
    limit: number,
    where: string | null,
    detail: CandidateDetail = 'rows',
  ): Promise<TableCandidate[]> {
    const embedded = this.#rows.rows.filter(stored => stored.vector !== null);
    return rowsWhere(this.#schema, embedded, where)
      .map(stored => ({
        ...candidateOf(stored, detail),
        distance: cosineDistance(vector, stored.vector!),
        vector: stored.vector!,
      }))
      .sort((a, b) => a.distance - b.distance || b.seq - a.seq)
      .slice(0, limit);
  }

  async rowsOf(candidates: readonly TableCandidate[]): Promise<TableRow[]> {
    const bySeq = new Map(this.#rows.rows.map(({ row }) => [BigInt(row.seq), row]));
    return candidates.map(({ id }) => bySeq.get(id)!);
  }

  async byOffsets(partition: number, first: number, last: number, limit: number): Promise<TableRow[]> {
    const all = [...this.#rows.rows, ...(this.#changes?.rows ?? [])].map(({ row }) => row);
    return readOffsets(first, last, limit, async (from, through) =>
      all.filter(row => row.partition === partition && row.offset >= from && row.offset <= through),
    );
  }

  async expired(bounds: ExpiryBounds, limit: number): Promise<ExpiredRecords> {
    const found = (content: Content | null): TableRow[] =>
      (content?.rows ?? [])
        .filter(stored => hasExpired(stored, bounds))
        .slice(0, limit)
        .map(({ row }) => row);
    return { rows: found(this.#rows), changes: found(this.#changes) };
  }

  async *scan(options: ScanOptions): AsyncGenerator<TableRow[]> {
    for await (const batch of this.scanIndexable(options)) yield batch.map(({ row }) => row);
  }

  async *scanIndexable(options: ScanOptions): AsyncGenerator<IndexableRow[]> {
    const rows = rowsWhere(this.#schema, this.#rows.rows, options.where);
    const size = options.batchRows ?? SCAN_BATCH_ROWS;
    for (let start = 0; start < rows.length; start += size) yield rows.slice(start, start + size);
  }

  async *scanColumns({ columns, where = null, ordered = false }: ColumnScanOptions): AsyncGenerator<ColumnBatch> {
    const found = rowsWhere(this.#schema, this.#rows.rows, where);
    const rows = ordered ? found.sort((a, b) => a.row.seq - b.row.seq) : found;
    for (let start = 0; start < rows.length; start += SCAN_BATCH_ROWS) {
      const part = rows.slice(start, start + SCAN_BATCH_ROWS);
      const dimensions = this.#schema.dimensions ?? 0;
      const vectors = new Float32Array(part.length * dimensions);
      for (const [index, { vector }] of part.entries()) if (vector !== null) vectors.set(vector, index * dimensions);
      const written = {
        rows: part.map(({ row }) => row),
        texts: part.map(({ text }) => text),
        vectors,
        hasVector: Uint8Array.from(part, ({ vector }) => (vector === null ? 0 : 1)),
      };
      yield columnsOfRows(this.#schema, written, 0, part.length, columns);
    }
  }

  async parquet(): Promise<null> {
    return null;
  }

  async countRows(where?: string | null): Promise<number> {
    return rowsWhere(this.#schema, this.#rows.rows, where).length;
  }

  async warm(): Promise<void> {}

  #bm25(documents: readonly StoredRow[], terms: readonly string[]): Bm25 {
    const frequencies = terms.map(term => documents.filter(stored => this.#termsOf(stored).includes(term)).length);
    const tokens = documents.reduce((sum, stored) => sum + this.#termsOf(stored).length, 0);
    return new Bm25({ documents: documents.length, tokens, frequencies }, BM25_DEFAULTS);
  }

  #score(stored: StoredRow, terms: readonly string[], bm25: Bm25): number {
    const own = this.#termsOf(stored);
    return bm25.score(
      terms.map(term => own.filter(each => each === term).length),
      own.length,
    );
  }

  #termsOf(stored: StoredRow): string[] {
    const known = this.#terms.get(stored);
    if (known !== undefined) return known;
    const terms = analyze(stored.text ?? '');
    this.#terms.set(stored, terms);
    return terms;
  }
}

/** Only changes say when they were superseded. */
function hasExpired(
  { row, supersededAtMs }: StoredRow,
  { ingestedMs, timeMs, supersededMs, offsetsBelow }: ExpiryBounds,
): boolean {
  if (ingestedMs !== null && row.ingestedAtMs <= ingestedMs) return true;
  if (row.offset < (offsetsBelow?.[row.partition] ?? 0)) return true;
  if (supersededAtMs !== null) return supersededMs !== null && supersededAtMs <= supersededMs;
  return timeMs !== null && row.timeMs <= timeMs;
}

/** The model's row ids are the log sequences. */
function candidateOf({ row }: StoredRow, detail: CandidateDetail): TableCandidate {
  const { seq, key, timeMs } = row;
  return { id: BigInt(seq), seq, key, timeMs, ...(detail === 'rows' ? { row } : {}) };
}
