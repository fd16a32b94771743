import { TailwaterError } from '../../base/index.ts';
import type { FilesReplacement } from '../table-store.ts';
import { columnFault, statisticsOf } from './file-facts.ts';
import { type ForeignFile, readForeignSnapshot, readWithin } from './foreign-snapshot.ts';
import type { IcebergContext } from './iceberg-context.ts';
import type { PartitionValue, TableFile } from './iceberg-types.ts';
import type { WrittenFile } from './parquet-writer.ts';
import { groupRows } from './partitioning.ts';
import { isOwnName } from './prune.ts';
import { rowSum } from './row-sums.ts';
import type { TableDraft } from './table-draft.ts';
import type { IcebergTable } from './table-loader.ts';
import { TableReads, type TableView, viewOf } from './table-reads.ts';

/** A data file of another engine is copied in memory. */
const MAX_FILE_BYTES = 1024 * 1024 * 1024;

/** What a snapshot of another engine does to the files of a table. */
export interface ReplacementPlan {
  removed: TableFile[];
  /** Names in the table's folder. */
  added: string[];
  /** Files of deletes that it no longer has. */
  droppedDeletes: TableFile[];
}

/** What came of it: names of files, from the root of all tables. */
export interface ReplacedFiles {
  removed: number;
  added: number;
  /** Tailwater's copies: garbage unless the version is committed. */
  copies: string[];
  /** What the other engine wrote: garbage once it is. */
  originals: string[];
}

/**
 * Takes a snapshot of another engine over into a draft, if its new files hold exactly the live rows of those that it leaves out. The files are
 * copied under names of Tailwater's own, and the copies are what is compared: their engine may change or delete what it wrote, as it does
 * when it takes a commit for failed. Throws TW_COMMIT_CONFLICT when rows differ, TW_BAD_REQUEST for what cannot be read; nothing stays then.
 */
export async function replaceFiles(
  context: IcebergContext,
  base: IcebergTable,
  draft: TableDraft,
  { manifestList, snapshot }: FilesReplacement,
): Promise<ReplacedFiles> {
  const { folder } = base;
  const foreign = await readForeignSnapshot(context.files, folder, manifestList);
  const plan = planReplacement(base, foreign.files);
  await requireUnneeded(context, base, plan);
  const view = await viewOf(context, base);
  const copies: string[] = [];
  try {
    const added: WrittenFile[] = [];
    for (const name of plan.added) {
      const content = await readWithin(context.files, folder, name, MAX_FILE_BYTES);
      const copy = await draft.takeOver(content);
      copies.push(`${folder}/data/${copy}`);
      added.push(await factsOf(context, draft, view, { name: copy, bytes: content.length }, name));
    }
    await requireSameRows(context, view, plan.removed, added);
    draft.replace(
      plan.removed,
      added.filter(file => file.records > 0),
      snapshot,
    );
  } catch (error) {
    await context.files.remove(copies).catch(() => {});
    throw error;
  }
  const originals = [...plan.added, ...foreign.manifests].filter(name => !isOwnName(name.slice(name.lastIndexOf('/') + 1)));
  return {
    removed: plan.removed.length,
    added: plan.added.length,
    copies,
    originals: originals.map(name => `${folder}/${name}`),
  };
}

/** Pure. Throws TW_COMMIT_CONFLICT. */
export function planReplacement(base: IcebergTable, foreign: readonly ForeignFile[]): ReplacementPlan {
  const names = new Set(foreign.map(file => file.name));
  if (names.size < foreign.length) throw conflict('The snapshot has a file twice.');
  const data = new Map(base.data.map(file => [`data/${file.name}`, file]));
  const deletes = new Map(base.deletes.map(file => [`data/${file.name}`, file]));
  const newDeletes = foreign.find(file => file.content !== 0 && !deletes.has(file.name));
  if (newDeletes !== undefined) throw conflict(`${newDeletes.name} deletes rows: that is for the stream to do.`);
  const added = foreign.filter(file => file.content === 0 && !data.has(file.name));
  const other = added.find(file => file.format.toUpperCase() !== 'PARQUET');
  if (other !== undefined)
    throw conflict(`${other.name} is of format ${other.format.slice(0, 20)}; the table's files are Parquet.`);
  return {
    removed: [...data].filter(([name]) => !names.has(name)).map(([, file]) => file),
    added: added.map(({ name }) => name),
    droppedDeletes: [...deletes].filter(([name]) => !names.has(name)).map(([, file]) => file),
  };
}

/** Deletes of rows in files that stay must stay. */
async function requireUnneeded(context: IcebergContext, base: IcebergTable, plan: ReplacementPlan): Promise<void> {
  const dropped = await context.deletes.of(base.folder, plan.droppedDeletes);
  const removed = new Set(plan.removed.map(file => file.name));
  const needed = base.data.find(file => dropped.has(file.name) && !removed.has(file.name));
  if (needed !== undefined) throw conflict(`The snapshot leaves out deletes of rows in ${needed.name}, which it keeps.`);
}

/** `original`: its name in what the client is told. */
async function factsOf(
  context: IcebergContext,
  draft: TableDraft,
  view: TableView,
  copy: { name: string; bytes: number },
  original: string,
): Promise<WrittenFile> {
  const { duck } = context;
  const { fields } = view;
  const file = { ...BLANK, ...copy };
  const release = await view.hold([file]);
  try {
    const path = view.pathOf(file);
    const fault = await columnFault(duck, path, fields);
    if (fault !== null) throw new TailwaterError('TW_BAD_REQUEST', { detail: `${original} cannot be taken: ${fault}.` });
    const facts = { ...copy, ...(await statisticsOf(duck, path, fields)) };
    const partition = facts.records === 0 ? [] : await partitionOf(context, draft, { ...view, data: [file], deleted: new Map() });
    if (partition === null) throw conflict(`${original} has rows of several partitions.`);
    return { ...facts, partition };
  } catch (cause) {
    if (cause instanceof TailwaterError) throw cause;
    const problem = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new TailwaterError('TW_BAD_REQUEST', { detail: `${original} cannot be read: ${problem}`, cause });
  } finally {
    release();
  }
}

/** The one partition of a view's rows, whatever their file was said to be of; null when there are several. */
async function partitionOf(context: IcebergContext, draft: TableDraft, view: TableView): Promise<PartitionValue[] | null> {
  const { layout } = draft;
  if (layout.rules.length === 0) return [];
  const columns = [...new Set(layout.rules.map(({ column }) => column))];
  const found = new Map<string, PartitionValue[]>();
  for await (const { batch } of new TableReads(context.duck, view).batches(columns, null)) {
    for (const values of groupRows(layout, batch).values) found.set(JSON.stringify(values), values);
    if (found.size > 1) return null;
  }
  return [...found.values()][0];
}

async function requireSameRows(
  context: IcebergContext,
  view: TableView,
  removed: readonly TableFile[],
  added: readonly WrittenFile[],
): Promise<void> {
  const before = await rowSum(context, { ...view, data: removed });
  const after = await rowSum(context, { ...view, data: added.map(file => ({ ...BLANK, ...file })), deleted: new Map() });
  if (before.rows !== after.rows) {
    throw conflict(`The new files have ${after.rows} rows, and those that they are to replace ${before.rows}.`);
  }
  if (before.hash !== after.hash)
    throw conflict('The rows of the new files are not those of the files that they are to replace.');
}

/** A file of which only name and place matter yet. */
const BLANK: TableFile = {
  content: 0,
  name: '',
  partition: [],
  records: 0,
  bytes: 0,
  columnBytes: new Map(),
  valueCounts: new Map(),
  nullCounts: new Map(),
  lower: new Map(),
  upper: new Map(),
  sortOrderId: 0,
  referencedDataFile: null,
  snapshotId: 0,
  sequenceNumber: 0,
};

function conflict(problem: string): TailwaterError {
  return new TailwaterError('TW_COMMIT_CONFLICT', {
    detail: `${problem} The table is that of a stream, which Tailwater alone writes; other engines may rewrite its files, with the same rows.`,
  });
}
