import { AdditiveHash, byteString, TailwaterError } from '../../base/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import { arrowSchema, type DatasetKind } from '../columns/arrow-schema.ts';
import type { ChangedRow, StagedFacts, TableRows, TableStaging, TableVersions } from '../table-store.ts';
import type { TableRow, TableSchema } from '../table-types.ts';
import { batchesOf } from './batches.ts';
import type { Dataset, Datasets, IndexKind } from './dataset.ts';
import { GuardedDataset } from './guarded-dataset.ts';

/** Keys or seqs in one predicate: longer lists cost more to plan than a second query. */
const LIST_LENGTH = 5_000;

export interface StagingSettings {
  /** Below this many rows a vector index does not pay: exact search is fast enough. */
  minVectorIndexRows: number;
  /** Rows that one append writes; default 50,000. */
  maxAppendRows?: number;
}

/** The multi-step change of both datasets of a table (C2, C5, C6) over any implementation of `Datasets`. */
export class DatasetStaging implements TableStaging {
  readonly #rows: GuardedDataset;
  readonly #changes: GuardedDataset | null;
  readonly #settings: StagingSettings;
  #schema: TableSchema;

  private constructor(rows: GuardedDataset, changes: GuardedDataset | null, schema: TableSchema, settings: StagingSettings) {
    this.#rows = rows;
    this.#changes = changes;
    this.#schema = schema;
    this.#settings = settings;
  }

  static async begin(
    datasets: Datasets,
    definition: StreamDefinition,
    base: TableVersions | null,
    schema: TableSchema,
    settings: StagingSettings,
  ): Promise<DatasetStaging> {
    const { incarnation, kind } = definition;
    const rows = new GuardedDataset(datasets, incarnation, 'rows', base?.rows ?? 0);
    const changes = kind === 'append' ? null : new GuardedDataset(datasets, incarnation, 'changes', base?.changes ?? 0);
    const staging = new DatasetStaging(rows, changes, schema, settings);
    if (base === null) await staging.#create();
    return staging;
  }

  async evolve(schema: TableSchema): Promise<void> {
    const known = new Map(this.#schema.columns.map(column => [column.name, column]));
    const added = schema.columns.filter(column => !known.has(column.name));
    const widened = schema.columns.filter(column => column.type === 'float64' && known.get(column.name)?.type === 'int64');
    for (const guarded of this.#changes === null ? [this.#rows] : [this.#rows, this.#changes]) {
      if (added.length > 0) await guarded.step(dataset => dataset.addColumns(added));
      for (const column of widened) {
        for (const widen of (await guarded.dataset()).widening(column)) await guarded.step(widen);
      }
    }
    this.#schema = schema;
  }

  async append(rows: TableRows): Promise<void> {
    for (const [start, end] of batchesOf(rows.rows, this.#schema.dimensions ?? 0, this.#settings.maxAppendRows)) {
      await this.#rows.step(dataset => dataset.appendRows(this.#schema, rows, start, end));
    }
  }

  async takeKeys(keys: readonly Uint8Array[], belowSeq: readonly number[]): Promise<TableRow[]> {
    const limits = new Map(keys.map((key, index) => [byteString(key), belowSeq[index]]));
    const taken: TableRow[] = [];
    const dataset = await this.#rows.dataset();
    for (let at = 0; at < keys.length; at += LIST_LENGTH) {
      const found = await dataset.byKeys(this.#schema, keys.slice(at, at + LIST_LENGTH));
      taken.push(...found.filter(row => row.seq < limits.get(byteString(row.key!))!));
    }
    await this.#delete(taken.map(row => row.seq));
    return taken;
  }

  async appendChanges(changes: readonly ChangedRow[]): Promise<void> {
    const guarded = this.#changes;
    if (guarded === null) throw new TailwaterError('TW_INTERNAL', { detail: 'An append stream has no changes.' });
    const rows = changes.map(change => change.row);
    for (const [start, end] of batchesOf(rows, 0)) {
      await guarded.step(dataset => dataset.appendChanges(this.#schema, changes, start, end));
    }
  }

  async remove(rowSeqs: readonly number[], changeSeqs: readonly number[]): Promise<void> {
    await this.#delete(rowSeqs);
    if (this.#changes !== null) await this.#delete(changeSeqs, this.#changes);
  }

  async setVectors(seqs: readonly number[], vectors: Float32Array): Promise<void> {
    const dimensions = this.#schema.dimensions ?? 0;
    const vectorOf = new Map(seqs.map((seq, index) => [seq, vectors.subarray(index * dimensions, (index + 1) * dimensions)]));
    const dataset = await this.#rows.dataset();
    for (let at = 0; at < seqs.length; at += LIST_LENGTH) {
      const found = await dataset.bySeqs(this.#schema, seqs.slice(at, at + LIST_LENGTH));
      const filled = new Float32Array(found.length * dimensions);
      for (const [index, { row }] of found.entries()) filled.set(vectorOf.get(row.seq)!, index * dimensions);
      await this.#delete(found.map(({ row }) => row.seq));
      await this.append({
        rows: found.map(({ row }) => row),
        texts: found.map(({ text }) => text),
        vectors: filled,
        hasVector: new Uint8Array(found.length).fill(1),
      });
    }
  }

  async optimize(options: { textIndex: boolean; vectorIndex: boolean; compactFragments: boolean }): Promise<void> {
    const dataset = await this.#rows.dataset();
    const existing = await dataset.indexes();
    const wanted: IndexKind[] = [];
    if (options.textIndex && this.#schema.text) wanted.push('text');
    if (options.vectorIndex && (await this.#vectorIndexPays(dataset))) wanted.push('vector');
    for (const index of wanted.filter(each => !existing.has(each))) await this.#rows.step(each => each.createIndex(index));
    if (options.textIndex || options.vectorIndex || options.compactFragments) await this.#rows.freeStep(each => each.optimize());
    if (options.compactFragments) await this.#changes?.freeStep(each => each.optimize());
  }

  async verify(oldWatermark: readonly number[], options: { hashed: 'all' | 'new' } = { hashed: 'all' }): Promise<StagedFacts> {
    const { hashed } = options;
    const rowsDataset = await this.#rows.reopened();
    const changesDataset = (await this.#changes?.reopened()) ?? null;
    await this.#expectColumns('rows', rowsDataset);
    if (changesDataset !== null) await this.#expectColumns('changes', changesDataset);
    const rows = await positionFacts(rowsDataset, oldWatermark, hashed);
    const changes = changesDataset === null ? EMPTY : await positionFacts(changesDataset, oldWatermark, hashed);
    return {
      versions: { rows: this.#rows.version, changes: this.#changes?.version ?? null },
      hashed,
      rowCount: rows.count,
      rowsHash: rows.hash,
      oldRowCount: rows.oldCount,
      oldRowsHash: rows.oldHash,
      changeCount: changes.count,
      changesHash: changes.hash,
      rawCount: await rowsDataset.countRaw(),
    };
  }

  /** Columns of a racing job may slip in without changing a row; the next job could then not add them. */
  async #expectColumns(kind: DatasetKind, dataset: Dataset): Promise<void> {
    const own = new Set(arrowSchema(this.#schema, kind).fields.map(field => field.name));
    const foreign = (await dataset.columnNames()).filter(name => !own.has(name));
    if (foreign.length === 0) return;
    throw new TailwaterError('TW_COMPACTION_FAILED', {
      detail: `Another job added the columns ${foreign.join(', ')} meanwhile.`,
    });
  }

  async #create(): Promise<void> {
    await this.#rows.create(this.#schema);
    if (this.#schema.text) await this.#rows.step(dataset => dataset.createIndex('text'));
    if (this.#changes === null) return;
    await this.#rows.step(dataset => dataset.createIndex('key'));
    await this.#changes.create(this.#schema);
  }

  async #delete(seqs: readonly number[], guarded = this.#rows): Promise<void> {
    for (let at = 0; at < seqs.length; at += LIST_LENGTH) {
      await guarded.step(dataset => dataset.deleteSeqs(seqs.slice(at, at + LIST_LENGTH)));
    }
  }

  async #vectorIndexPays(dataset: Dataset): Promise<boolean> {
    return this.#schema.dimensions !== null && (await dataset.countRows()) >= this.#settings.minVectorIndexRows;
  }
}

interface PositionFacts {
  count: number;
  hash: string;
  oldCount: number;
  oldHash: string;
}

const NO_HASH = new AdditiveHash().toString();
const EMPTY: PositionFacts = { count: 0, hash: NO_HASH, oldCount: 0, oldHash: NO_HASH };

async function positionFacts(dataset: Dataset, oldWatermark: readonly number[], hashed: 'all' | 'new'): Promise<PositionFacts> {
  const old = new AdditiveHash();
  const all = new AdditiveHash();
  let newCount = 0;
  for await (const batch of dataset.positions(hashed === 'all' ? null : oldWatermark)) {
    for (let at = 0; at < batch.count; at++) {
      const partition = batch.partition(at);
      const offset = batch.offset(at);
      const isOld = offset <= (oldWatermark[partition] ?? -1);
      if (!isOld) newCount++;
      (isOld ? old : all).add(partition, offset);
    }
  }
  all.addHash(old);
  const count = await dataset.countRows();
  return { count, hash: all.toString(), oldCount: count - newCount, oldHash: old.toString() };
}
