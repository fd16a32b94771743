import type { Table } from '@lancedb/lancedb';

/**
 * Removes versions older than all of `keep`, with the files that only they used. LanceDB prunes by age alone, and only as a part of
 * `optimize`, which adds versions of its own: staging steps back from those, since it always starts from a named version.
 */
export async function pruneDataset(table: Table, keep: readonly number[]): Promise<void> {
  if (keep.length === 0) return;
  const oldest = Math.min(...keep);
  const versions = await table.listVersions();
  if (!versions.some(each => each.version < oldest)) return;
  const kept = versions.filter(each => each.version >= oldest).map(each => each.timestamp.getTime());
  await table.optimize({ cleanupOlderThan: new Date(Math.min(...kept)) });
}
