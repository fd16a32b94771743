import type { TableFile } from './iceberg-types.ts';

/** The summary of a snapshot: what it did, and what the table comes to with it. */
export function snapshotSummary(change: {
  base: { data: readonly TableFile[]; deletes: readonly TableFile[] };
  added: readonly TableFile[];
  removed: readonly TableFile[];
  watermark: readonly number[] | null;
}): Record<string, string> {
  const added = split(change.added);
  const removed = split(change.removed);
  const base = { data: sizeOf(change.base.data), deletes: sizeOf(change.base.deletes) };
  const total = (of: 'data' | 'deletes', what: keyof Size): number => base[of][what] + added[of][what] - removed[of][what];
  const counts: Record<string, number> = {
    'added-data-files': added.data.files,
    'added-records': added.data.records,
    'added-delete-files': added.deletes.files,
    'added-position-delete-files': added.deletes.files,
    'added-position-deletes': added.deletes.records,
    'added-files-size': added.data.bytes + added.deletes.bytes,
    'deleted-data-files': removed.data.files,
    'deleted-records': removed.data.records,
    'removed-delete-files': removed.deletes.files,
    'removed-position-delete-files': removed.deletes.files,
    'removed-position-deletes': removed.deletes.records,
    'removed-files-size': removed.data.bytes + removed.deletes.bytes,
  };
  const totals: Record<string, number> = {
    'total-data-files': total('data', 'files'),
    'total-delete-files': total('deletes', 'files'),
    'total-records': total('data', 'records'),
    'total-files-size': total('data', 'bytes') + total('deletes', 'bytes'),
    'total-position-deletes': total('deletes', 'records'),
    'total-equality-deletes': 0,
  };
  const summary: Record<string, string> = { operation: operationOf(added, removed) };
  for (const [name, count] of Object.entries(counts)) if (count > 0) summary[name] = String(count);
  for (const [name, count] of Object.entries(totals)) summary[name] = String(count);
  if (change.watermark !== null) summary['tailwater.watermark'] = JSON.stringify(change.watermark);
  return summary;
}

interface Size {
  files: number;
  records: number;
  bytes: number;
}

type Sizes = Record<'data' | 'deletes', Size>;

function operationOf(added: Sizes, removed: Sizes): string {
  const rows = added.data.records - added.deletes.records - removed.data.records + removed.deletes.records;
  if (removed.data.files > 0) return rows === 0 ? 'replace' : 'overwrite';
  if (added.deletes.files === 0) return 'append';
  return added.data.files === 0 ? 'delete' : 'overwrite';
}

function split(files: readonly TableFile[]): Sizes {
  return { data: sizeOf(files.filter(file => file.content === 0)), deletes: sizeOf(files.filter(file => file.content === 1)) };
}

function sizeOf(files: readonly TableFile[]): Size {
  const size = { files: files.length, records: 0, bytes: 0 };
  for (const file of files) {
    size.records += file.records;
    size.bytes += file.bytes;
  }
  return size;
}
