import { randomId, TailwaterError } from '../../base/index.ts';
import type { ArrowTable } from '../columns/arrow.ts';
import type { DatasetKind } from '../columns/arrow-schema.ts';
import type { TableSchema } from '../table-types.ts';
import type { Id } from './exact-json.ts';
import { nextFields, sameFields } from './fields.ts';
import type { IcebergContext } from './iceberg-context.ts';
import type { IcebergField, PartitionSpec, PartitionValue, TableFile } from './iceberg-types.ts';
import { currentSchema } from './metadata.ts';
import { checksumOf, type FileTarget, type WrittenFile } from './parquet-writer.ts';
import { groupRows, partitionSpec, type TableLayout } from './partitioning.ts';
import { type BinToRewrite, planMerge } from './plan-merge.ts';
import { DELETE_FIELDS, deletesBatch } from './position-deletes.ts';
import { rewriteFiles } from './rewrite.ts';
import { type IcebergTable, tableFolder } from './table-loader.ts';
import { type PlacedRow, placeOf, type RowPlace, TableReads, type TableView } from './table-reads.ts';

/** How a snapshot is known to the engine whose commit it is. */
export interface GivenSnapshot {
  id: Id;
  /** What it says about itself; what Tailwater's own summary has is added, or put in its place. */
  summary: Readonly<Record<string, string>>;
}

/** What a draft comes to. */
export interface DraftOutcome {
  fields: IcebergField[];
  lastColumnId: number;
  added: TableFile[];
  /** Data files of the base that are no longer of the table. */
  removed: TableFile[];
  /** The base's files of deletes stay, or were replaced by new ones. */
  deletesReplaced: boolean;
  addedDeletes: TableFile[];
}

/**
 * A change of one dataset on its way. Its files are written at once, under names that no other draft has, and nothing names them until
 * the new version is published: of drafts that race on one base each holds what it staged, and all but one make garbage.
 */
export class TableDraft {
  readonly #context: IcebergContext;
  readonly #folder: string;
  readonly #base: IcebergTable | null;
  readonly #layout: (fields: readonly IcebergField[]) => TableLayout;
  readonly #id: string;
  readonly #removed = new Set<string>();
  readonly #added: TableFile[] = [];
  readonly #deleted = new Map<string, Set<number>>();
  #baseDeleted: Map<string, Set<number>> | null = null;
  #deletesReplaced = false;
  #fields: IcebergField[];
  #lastId: number;
  #fileCount = 0;
  #changes: number;
  #snapshot: GivenSnapshot | null = null;

  constructor(
    context: IcebergContext,
    table: { incarnation: string; kind: DatasetKind; base: IcebergTable | null; layout: TableDraft['layoutOf'] },
    schema: TableSchema,
  ) {
    this.#context = context;
    this.#folder = tableFolder(table.incarnation, table.kind);
    this.#base = table.base;
    this.#layout = table.layout;
    this.#id = randomId(context.random);
    this.#changes = table.base === null ? 1 : 0;
    const before = table.base === null ? null : currentSchema(table.base.metadata).fields;
    const next = nextFields(schema, table.kind, before ?? [], table.base?.metadata['last-column-id'] ?? 100);
    this.#fields = before ?? next.fields;
    this.#lastId = table.base?.metadata['last-column-id'] ?? next.lastId;
  }

  get layoutOf(): (fields: readonly IcebergField[]) => TableLayout {
    return this.#layout;
  }

  /** Rises with every change. */
  get changes(): number {
    return this.#changes;
  }

  get folder(): string {
    return this.#folder;
  }

  get fields(): readonly IcebergField[] {
    return this.#fields;
  }

  /** Begins every name of a file that this draft makes: what it was based on, and which draft it is. */
  get prefix(): string {
    return `${String(this.#base?.version ?? 0).padStart(8, '0')}-${this.#id}`;
  }

  /** Null: the snapshot is Tailwater's own. */
  get snapshot(): GivenSnapshot | null {
    return this.#snapshot;
  }

  get layout(): TableLayout {
    return this.#layout(this.#fields);
  }

  /** Adds columns. A column of a wider type is another one, so that all files are written anew. */
  async evolve(schema: TableSchema, kind: DatasetKind): Promise<void> {
    const { fields, lastId } = nextFields(schema, kind, this.#fields, this.#lastId);
    if (sameFields(fields, this.#fields)) return;
    const before = new Map(this.#fields.map(field => [field.name, field]));
    const widened = fields.some(field => (before.get(field.name)?.id ?? field.id) !== field.id);
    const oldFields = this.#fields;
    this.#fields = fields;
    this.#lastId = lastId;
    this.#changes++;
    if (!widened) return;
    const bins = this.#data().map(file => ({ files: [file], partition: file.partition }));
    await this.#rewrite(bins, oldFields);
  }

  async append(tables: Iterable<ArrowTable>): Promise<void> {
    const layout = this.#layout(this.#fields);
    const groups = new Map<string, { number: number; partition: PartitionValue[] }>();
    const numbered = function* (): Generator<{ batch: ArrowTable['batches'][number]; groupOf: Int32Array }> {
      for (const table of tables) {
        const [batch] = table.batches;
        const { groupOf, values } = groupRows(layout, batch);
        const numbers = values.map(partition => numberOf(groups, partition));
        yield { batch, groupOf: groupOf.map(group => numbers[group]) };
      }
    };
    await this.#context.files.makeFolder(`${this.#folder}/data`);
    const written = await this.#context.writer.write(numbered(), this.#fields, () =>
      [...groups.values()].map(({ partition }) => ({ target: this.#target(layout.sortBy), partition })),
    );
    for (const file of written) this.#add(file);
  }

  async rowsOfKeys(schema: TableSchema, keys: readonly Uint8Array[]): Promise<PlacedRow[]> {
    return new TableReads(this.#context.duck, await this.view()).byKeys(schema, keys);
  }

  /** Seqs that are not there are left out. */
  async removeSeqs(seqs: readonly number[]): Promise<void> {
    if (seqs.length === 0) return;
    this.remove(await new TableReads(this.#context.duck, await this.view()).placesOf(new Set(seqs)));
  }

  remove(rows: readonly RowPlace[]): void {
    if (rows.length === 0) return;
    this.#changes++;
    for (const { file, position } of rows) {
      const known = this.#deleted.get(file);
      if (known === undefined) this.#deleted.set(file, new Set([position]));
      else known.add(position);
    }
  }

  /** Writes small files as larger ones, and without their deleted rows. */
  async merge(): Promise<void> {
    const { deleted } = await this.view();
    const bins = planMerge(this.#data(), deleted, this.#context.settings);
    if (bins.length > 0) await this.#rewrite(bins, this.#fields);
  }

  /** Keeps content that another engine wrote, as a file of this draft: nobody else knows its name, or has reason to touch it. */
  async takeOver(content: Uint8Array): Promise<string> {
    const name = `${this.#stem()}-${checksumOf(content)}.parquet`;
    await this.#context.files.create(`${this.#folder}/data/${name}`, content);
    return name;
  }

  /** Puts files in the place of others that hold the same rows, as the snapshot of another engine. Files of deletes are written anew. */
  replace(removed: readonly TableFile[], added: readonly WrittenFile[], snapshot: GivenSnapshot): void {
    for (const { name } of removed) this.#leaveOut(name);
    this.#deletesReplaced = true;
    for (const file of added) this.#added.push({ ...this.#stamped(file), content: 0, referencedDataFile: null, sortOrderId: 0 });
    this.#snapshot = snapshot;
    this.#changes++;
  }

  async view(): Promise<TableView> {
    const deleted = new Map((await this.#deletedOfBase()).entries());
    for (const [name, positions] of this.#deleted) {
      deleted.set(name, new Set([...(deleted.get(name) ?? []), ...positions]));
    }
    return {
      ...placeOf(this.#context, this.#folder, this.#base?.version ?? null),
      data: this.#data(),
      deleted,
      fields: this.#fields,
    };
  }

  /** Writes what is still in memory. */
  async finish(): Promise<DraftOutcome> {
    await this.#dropEmptied();
    const live = new Map(this.#data().map(file => [file.name, file]));
    const pending = this.#deletesReplaced ? (await this.view()).deleted : this.#deleted;
    const wanted = [...pending].filter(([name, positions]) => live.has(name) && positions.size > 0);
    const addedDeletes = await this.#writeDeletes(wanted.map(([name, positions]) => ({ file: live.get(name)!, positions })));
    const base = this.#base?.data ?? [];
    return {
      fields: this.#fields,
      lastColumnId: this.#lastId,
      added: [...this.#added],
      removed: base.filter(file => this.#removed.has(file.name)),
      deletesReplaced: this.#deletesReplaced,
      addedDeletes,
    };
  }

  #data(): TableFile[] {
    return [...(this.#base?.data ?? []).filter(file => !this.#removed.has(file.name)), ...this.#added];
  }

  async #deletedOfBase(): Promise<Map<string, Set<number>>> {
    this.#baseDeleted ??= await this.#context.deletes.of(this.#folder, this.#base?.deletes ?? []);
    return this.#baseDeleted;
  }

  /** A file of which every row is deleted goes whole, with its deletes. */
  async #dropEmptied(): Promise<void> {
    const ofBase = await this.#deletedOfBase();
    const { deleted } = await this.view();
    for (const file of this.#data()) {
      if (!this.#deleted.has(file.name) || deleted.get(file.name)!.size < file.records) continue;
      this.#leaveOut(file.name);
      if (ofBase.has(file.name)) this.#deletesReplaced = true;
    }
  }

  #leaveOut(name: string): void {
    const own = this.#added.findIndex(file => file.name === name);
    if (own >= 0) this.#added.splice(own, 1);
    else this.#removed.add(name);
    this.#deleted.delete(name);
  }

  async #rewrite(bins: readonly BinToRewrite[], oldFields: readonly IcebergField[]): Promise<void> {
    const view = await this.view();
    const { sortBy } = this.#layout(this.#fields);
    this.#changes++;
    for (const { files, partition } of bins) {
      const target = this.#target(sortBy);
      const written = await rewriteFiles(this.#context, { ...view, data: files }, oldFields, target, partition);
      for (const { name } of files) {
        if (view.deleted.has(name)) this.#deletesReplaced = true;
        this.#leaveOut(name);
      }
      if (written !== null) this.#add(written);
    }
  }

  async #writeDeletes(deleted: { file: TableFile; positions: ReadonlySet<number> }[]): Promise<TableFile[]> {
    const byPartition = Map.groupBy(deleted, ({ file }) => JSON.stringify(file.partition));
    const added: TableFile[] = [];
    for (const group of byPartition.values()) {
      const uris = group.map(({ file, positions }) => [this.#uri(file.name), positions] as const);
      const batch = deletesBatch(uris);
      const target = { ...this.#target([]), stem: `${this.#stem()}-deletes`, fields: DELETE_FIELDS };
      const one = { batch, groupOf: new Int32Array(batch.numRows) };
      const [written] = await this.#context.writer.write([one], DELETE_FIELDS, () => [
        { target, partition: group[0].file.partition },
      ]);
      const names = uris.map(([uri]) => uri).sort();
      const [pathId] = DELETE_FIELDS.map(field => field.id);
      added.push({
        ...this.#stamped(written),
        content: 1,
        lower: new Map(written.lower).set(pathId, Buffer.from(names[0])),
        upper: new Map(written.upper).set(pathId, Buffer.from(names.at(-1)!)),
        referencedDataFile: group.length === 1 ? group[0].file.name : null,
      });
    }
    return added;
  }

  #add(file: WrittenFile): void {
    this.#changes++;
    this.#added.push({ ...this.#stamped(file), content: 0, referencedDataFile: null });
  }

  /** Snapshot and sequence number are given when the version is published. */
  #stamped(file: WrittenFile): Omit<TableFile, 'content' | 'referencedDataFile'> {
    return { ...file, sortOrderId: this.#layout(this.#fields).sortBy.length > 0 ? 1 : 0, snapshotId: 0, sequenceNumber: 0 };
  }

  #target(sortBy: readonly string[]): FileTarget {
    return { stem: this.#stem(), folder: `${this.#folder}/data/`, fields: this.#fields, sortBy };
  }

  #stem(): string {
    return `${this.prefix}-${++this.#fileCount}`;
  }

  #uri(name: string): string {
    return this.#context.files.uri(`${this.#folder}/data/${name}`);
  }
}

function numberOf(groups: Map<string, { number: number; partition: PartitionValue[] }>, partition: PartitionValue[]): number {
  const key = JSON.stringify(partition);
  const known = groups.get(key);
  if (known !== undefined) return known.number;
  groups.set(key, { number: groups.size, partition });
  return groups.size - 1;
}

/** The spec of a table that is new, or that which it has. */
export function specOf(base: IcebergTable | null, layout: TableLayout, fields: readonly IcebergField[]): PartitionSpec {
  if (base === null) return partitionSpec(layout, fields);
  const spec = base.metadata['partition-specs'].find(each => each['spec-id'] === base.metadata['default-spec-id']);
  if (spec !== undefined) return spec;
  throw new TailwaterError('TW_DATA_DAMAGED', { detail: `The metadata of ${base.folder} lack their partition spec.` });
}
