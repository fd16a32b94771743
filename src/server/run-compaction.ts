import { type CompactionContext, compactStream, maintainTable } from '../lakehouse/index.ts';
import type { CompactionOrder } from './compaction-process.ts';

/** One order, each step of it a table state of its own. `onAdvanced` is called after every commit. */
export async function runCompaction(context: CompactionContext, order: CompactionOrder, onAdvanced: () => void): Promise<void> {
  const { definition, firstSegment, throughSegment, part, full } = order;
  if (part === 'rows') await compactStream(context, definition, throughSegment, { firstSegment, onProgress: onAdvanced });
  else await maintainTable(context, definition, { full });
  onAdvanced();
}
