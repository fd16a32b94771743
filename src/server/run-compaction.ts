import { type CompactionContext, compactStream, maintainTable } from '../lakehouse/index.ts';
import type { CompactionOrder } from './compaction-process.ts';

/** One order, each step of it a table state of its own; `onProgress` is called after every one that moved rows. The number of the newest state. */
export async function runCompaction(
  context: CompactionContext,
  order: CompactionOrder,
  onProgress: () => void,
): Promise<number | null> {
  const { definition, firstSegment, throughSegment, part, full } = order;
  const state =
    part === 'rows'
      ? await compactStream(context, definition, throughSegment, { firstSegment, onProgress })
      : await maintainTable(context, definition, { full });
  return state?.n ?? null;
}
