import { type Clock, Pace } from '../../base/index.ts';
import { type ArrowField, fieldsOf, type ParquetRows } from '../../lakehouse/index.ts';
import type { Pinned } from '../pinned.ts';
import { mergedScan } from '../scan/merged-scan.ts';
import type { ScanBatch, ScanPlan } from '../scan/scan-types.ts';
import type { TableView } from '../table-view.ts';
import type { HeldCopy, TableCopies } from './copies.ts';
import { writeParquetFile } from './parquet.ts';
import { timeRangeOf } from './time-range.ts';

const SLICE_MS = 5;

/**
 * Where a query gets the rows of a table from: files that DuckDB reads in place, a copy of the columns that is kept for the next query, or, null,
 * a scan of what this query needs.
 */
export type TableSource =
  | { kind: 'files'; rows: ParquetRows; release: () => void }
  | { kind: 'copy'; rows: ParquetRows; copy: HeldCopy }
  | null;

export async function sourceOf(pinned: Pinned, plan: ScanPlan, copies: TableCopies): Promise<TableSource> {
  const { table: view } = pinned;
  if (view === null) return null;
  const rows = await view.version.parquet({ timeMicros: timeRangeOf(plan.conditions) });
  // What is in `_extra` depends on when a column was found; a scan evens it out.
  const isEven = pinned.definition.schema !== null || !plan.columns.includes('_extra');
  if (rows !== null && (isEven || rows.isNull('_extra'))) return { kind: 'files', rows, release: await rows.hold() };
  const columns = copiedColumns(pinned, view, plan);
  const key = contentOf(view);
  const isWhole = plan.conditions.length === 0 && plan.limit === Number.POSITIVE_INFINITY;
  const isWorthIt = copies.has(key, columns) || (isWhole && copies.mayKeep(view.state.rowCount, columns.length));
  if (!isWorthIt) return null;
  const copy = copies.take(key, columns);
  return { kind: 'copy', copy, rows: rowsOfCopy(copy) };
}

/** States that index rows, merge files or fill vectors in have the same rows as the one before. */
function contentOf({ state }: TableView): string {
  return [state.incarnation, state.schema.id, state.rowCount, state.rowsHash].join('/');
}

/** The columns that the table has, and of upsert streams the key, by which the tail hides rows. */
function copiedColumns({ definition }: Pinned, { state }: TableView, { columns }: ScanPlan): string[] {
  const present = columns.filter(name => fieldsOf(state.schema, [name])[0] !== undefined);
  const needed = new Set([...present, ...(definition.kind === 'upsert' ? ['_key'] : [])]);
  return needed.size === 0 ? ['_partition'] : [...needed];
}

function rowsOfCopy({ path, columns }: HeldCopy): ParquetRows {
  return {
    paths: [path],
    from: `FROM read_parquet('${path.replaceAll("'", "''")}')`,
    columnOf: name => `"${name}"`,
    isNull: name => !columns.includes(name),
    deletedPlaces: [],
    hold: async () => () => {},
    explain: async error => error,
  };
}

/** Returns when the copy is whole. `check` is called between batches, and may throw. */
export function fillCopy(copy: HeldCopy, pinned: Pinned, plan: ScanPlan, clock: Clock, check: () => void): Promise<void> {
  return copy.fill((path, columns) => {
    const fields = fieldsOf(pinned.table!.state.schema, columns) as ArrowField[];
    const whole: ScanPlan = { ...plan, columns: [...columns], fields, tail: false, conditions: [], limit: Infinity };
    const batches = checked(mergedScan(pinned, whole, clock), clock, check);
    const content = { fields, batches, compression: 'snappy' as const, metadata: {} };
    return writeParquetFile(content, path, { temporaryFolder: `${path}.spill` });
  });
}

async function* checked(batches: AsyncIterable<ScanBatch>, clock: Clock, check: () => void): AsyncGenerator<ScanBatch> {
  const pace = new Pace(clock, SLICE_MS);
  for await (const batch of batches) {
    check();
    yield batch;
    if (pace.due) await pace.rest();
  }
}
