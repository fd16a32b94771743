import { type CompactionContext, compactStream, maintainTable } from '../lakehouse/index.ts';
import type { CompactionOrder } from './compaction-process.ts';

/** One job: the rows first, then the indexes, each step its own table state. `onAdvanced` is called after every commit. */
export async function runCompaction(context: CompactionContext, job: CompactionOrder, onAdvanced: () => void): Promise<void> {
  const { definition, firstSegment, throughSegment } = job;
  await compactStream(context, definition, throughSegment, { firstSegment, onProgress: onAdvanced });
  onAdvanced();
  await maintainTable(context, definition, { full: job.full });
  onAdvanced();
}
