import { AdditiveHash, byteString, TailwaterError } from '../../base/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import type { ArrowTable } from '../columns/arrow.ts';
import { columnData, Int64Reader, NumberReader } from '../columns/column-readers.ts';
import { encodeChanges, encodeRows } from '../columns/encode-rows.ts';
import { batchesOf } from '../datasets/batches.ts';
import type {
  ChangedRow,
  FilesReplacement,
  StagedFacts,
  TableRows,
  TableStaging,
  TableVersions,
  VerifyOptions,
} from '../table-store.ts';
import type { TableRow, TableSchema } from '../table-types.ts';
import type { IcebergContext } from './iceberg-context.ts';
import { currentSchema } from './metadata.ts';
import { layoutOf } from './partitioning.ts';
import { publish } from './publish.ts';
import { type ReplacedFiles, replaceFiles } from './replace-files.ts';
import { TableDraft } from './table-draft.ts';
import { type IcebergTable, tableFolder } from './table-loader.ts';
import { mayBeAbove, TableReads, viewOf } from './table-reads.ts';

/** Keys that are looked up at once. */
const LIST_LENGTH = 50_000;

/** The change of both datasets of a table. Others cannot slip in: what they write is named by their versions only. */
export class IcebergStaging implements TableStaging {
  readonly #context: IcebergContext;
  readonly #rows: DraftOfDataset;
  readonly #changes: DraftOfDataset | null;
  #schema: TableSchema;

  private constructor(context: IcebergContext, rows: DraftOfDataset, changes: DraftOfDataset | null, schema: TableSchema) {
    this.#context = context;
    this.#rows = rows;
    this.#changes = changes;
    this.#schema = schema;
  }

  static async begin(
    context: IcebergContext,
    definition: StreamDefinition,
    base: TableVersions | null,
    schema: TableSchema,
  ): Promise<IcebergStaging> {
    if (schema.text || schema.dimensions !== null) {
      throw new TailwaterError('TW_INTERNAL', { detail: 'An Iceberg table has neither texts nor vectors to search by.' });
    }
    const draft = async (kind: 'rows' | 'changes', version: number | null): Promise<DraftOfDataset> => {
      const { incarnation } = definition;
      const table = version === null ? null : await context.loader.load(tableFolder(incarnation, kind), version);
      return new DraftOfDataset(
        context,
        { incarnation, kind, base: table, layout: () => layoutOf(definition, schema, kind) },
        schema,
      );
    };
    const rows = await draft('rows', base?.rows ?? null);
    const changes = definition.kind === 'append' ? null : await draft('changes', base?.changes ?? null);
    return new IcebergStaging(context, rows, changes, schema);
  }

  async evolve(schema: TableSchema): Promise<void> {
    await this.#rows.change(draft => draft.evolve(schema, 'rows'));
    await this.#changes?.change(draft => draft.evolve(schema, 'changes'));
    this.#schema = schema;
  }

  async append(rows: TableRows): Promise<void> {
    if (rows.rows.length === 0) return;
    const schema = this.#schema;
    const tables = encoded(rows.rows, (start, end) => encodeRows(schema, rows, start, end));
    await this.#rows.change(draft => draft.append(tables));
  }

  async takeKeys(keys: readonly Uint8Array[], belowSeq: readonly number[]): Promise<TableRow[]> {
    const limits = new Map(keys.map((key, index) => [byteString(key), belowSeq[index]]));
    const taken: TableRow[] = [];
    await this.#rows.change(async draft => {
      for (let at = 0; at < keys.length; at += LIST_LENGTH) {
        const found = await draft.rowsOfKeys(this.#schema, keys.slice(at, at + LIST_LENGTH));
        const older = found.filter(({ row }) => row.seq < limits.get(byteString(row.key!))!);
        draft.remove(older);
        for (const { row } of older) taken.push(row);
      }
    });
    return taken;
  }

  async appendChanges(changes: readonly ChangedRow[]): Promise<void> {
    if (this.#changes === null) throw new TailwaterError('TW_INTERNAL', { detail: 'An append stream has no changes.' });
    if (changes.length === 0) return;
    const schema = this.#schema;
    const rows = changes.map(change => change.row);
    const tables = encoded(rows, (start, end) => encodeChanges(schema, changes, start, end));
    await this.#changes.change(draft => draft.append(tables));
  }

  async remove(rowSeqs: readonly number[], changeSeqs: readonly number[]): Promise<void> {
    await this.#rows.change(draft => draft.removeSeqs(rowSeqs));
    await this.#changes?.change(draft => draft.removeSeqs(changeSeqs));
  }

  /** Takes over what another engine made of the files of one dataset. */
  async replace(replacement: FilesReplacement): Promise<ReplacedFiles> {
    const dataset = replacement.part === 'rows' ? this.#rows : this.#changes;
    if (dataset === null) throw new TailwaterError('TW_INTERNAL', { detail: 'An append stream has no changes.' });
    return dataset.replace(replacement);
  }

  async setVectors(seqs: readonly number[]): Promise<void> {
    if (seqs.length > 0) throw new TailwaterError('TW_INTERNAL', { detail: 'An Iceberg table has no vectors.' });
  }

  async optimize(options: { compactFragments: boolean }): Promise<void> {
    if (!options.compactFragments) return;
    await this.#rows.change(draft => draft.merge());
    await this.#changes?.change(draft => draft.merge());
  }

  async verify(oldWatermark: readonly number[], options: VerifyOptions = { hashed: 'all' }): Promise<StagedFacts> {
    const { hashed, watermark = null } = options;
    const rowsTable = await this.#rows.published(watermark);
    const changesTable = (await this.#changes?.published(watermark)) ?? null;
    const rows = await this.#facts(rowsTable, oldWatermark, hashed);
    const changes = changesTable === null ? EMPTY : await this.#facts(changesTable, oldWatermark, hashed);
    return {
      versions: { rows: rowsTable.version, changes: changesTable?.version ?? null },
      hashed,
      rowCount: rows.count,
      rowsHash: rows.hash,
      oldRowCount: rows.oldCount,
      oldRowsHash: rows.oldHash,
      changeCount: changes.count,
      changesHash: changes.hash,
      rawCount: await this.#rawCount(rowsTable),
    };
  }

  /** Read again from the files of the version, like everybody else’s. */
  async #facts(table: IcebergTable, watermark: readonly number[], hashed: 'all' | 'new'): Promise<PositionFacts> {
    const view = await viewOf(this.#context, table);
    const reads = new TableReads(this.#context.duck, view);
    const old = new AdditiveHash();
    const all = new AdditiveHash();
    let newCount = 0;
    const only =
      hashed === 'all' ? {} : { only: (file: IcebergTable['data'][number]) => mayBeAbove(view.fields, file, watermark) };
    for await (const { batch, live } of reads.batches(['_partition', '_offset'], null, only)) {
      const partitions = new NumberReader(columnData(batch, '_partition'));
      const offsets = new Int64Reader(columnData(batch, '_offset'));
      for (const at of live) {
        const [partition, offset] = [partitions.number(at), offsets.number(at)];
        const isOld = offset <= (watermark[partition] ?? -1);
        if (!isOld) newCount++;
        if (!isOld || hashed === 'all') (isOld ? old : all).add(partition, offset);
      }
    }
    all.addHash(old);
    const count = await reads.count(null);
    return { count, hash: all.toString(), oldCount: count - newCount, oldHash: old.toString() };
  }

  /** By the statistics of files without deleted rows; the others are looked through when they have any. */
  async #rawCount(table: IcebergTable): Promise<number> {
    const view = await viewOf(this.#context, table);
    const id = currentSchema(table.metadata).fields.find(field => field.name === '_raw')!.id;
    const rawIn = (file: IcebergTable['data'][number]): number =>
      (file.valueCounts.get(id) ?? file.records) - (file.nullCounts.get(id) ?? 0);
    const whole = view.data.filter(file => !view.deleted.has(file.name));
    const worn = view.data.filter(file => view.deleted.has(file.name) && rawIn(file) > 0);
    const reads = new TableReads(this.#context.duck, { ...view, data: worn });
    const counted = await reads.count(`${reads.columnOf('_raw')} IS NOT NULL`);
    return counted + whole.reduce((sum, file) => sum + rawIn(file), 0);
  }
}

type DraftTable = ConstructorParameters<typeof TableDraft>[1];

/** A dataset's draft, and the version that it was last published as. */
class DraftOfDataset {
  readonly #context: IcebergContext;
  readonly #base: IcebergTable | null;
  readonly #draft: TableDraft;
  #published: number | null;

  constructor(context: IcebergContext, table: DraftTable, schema: TableSchema) {
    this.#context = context;
    this.#base = table.base;
    this.#draft = new TableDraft(context, table, schema);
    this.#published = table.base?.version ?? null;
  }

  async change(run: (draft: TableDraft) => Promise<void>): Promise<void> {
    const before = this.#draft.changes;
    await run(this.#draft);
    if (this.#draft.changes !== before) this.#published = null;
  }

  async replace(replacement: FilesReplacement): Promise<ReplacedFiles> {
    if (this.#base === null) throw new TailwaterError('TW_INTERNAL', { detail: 'There are no files to replace.' });
    const replaced = await replaceFiles(this.#context, this.#base, this.#draft, replacement);
    this.#published = null;
    return replaced;
  }

  async published(watermark: readonly number[] | null): Promise<IcebergTable> {
    this.#published ??= await publish(this.#context, this.#draft, this.#base, watermark);
    return this.#context.loader.load(this.#draft.folder, this.#published);
  }
}

function* encoded(rows: readonly TableRow[], encode: (start: number, end: number) => ArrowTable): Generator<ArrowTable> {
  for (const [start, end] of batchesOf(rows, 0)) yield encode(start, end);
}

interface PositionFacts {
  count: number;
  hash: string;
  oldCount: number;
  oldHash: string;
}

const NO_HASH = new AdditiveHash().toString();
const EMPTY: PositionFacts = { count: 0, hash: NO_HASH, oldCount: 0, oldHash: NO_HASH };
