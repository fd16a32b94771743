import { boundOf } from './bounds.ts';
import type { IcebergType, ManifestEntry, PartitionSummary, PartitionValue } from './iceberg-types.ts';

/**
 * Per field of the partition, between which values all files of a manifest lie, so that readers leave out manifests. Deleted entries count too, as in
 * Iceberg's own library: whoever looks for what a snapshot removed finds it.
 */
export function partitionSummaries(
  types: readonly (IcebergType | 'date')[],
  entries: readonly ManifestEntry[],
): PartitionSummary[] {
  return types.map((type, index) =>
    summaryOf(
      type === 'date' ? 'int' : type,
      entries.map(({ file }) => file.partition[index] ?? null),
    ),
  );
}

function summaryOf(type: IcebergType, all: readonly PartitionValue[]): PartitionSummary {
  let lower: Exclude<PartitionValue, null> | null = null;
  let upper: Exclude<PartitionValue, null> | null = null;
  for (const value of all) {
    if (value === null) continue;
    if (lower === null || isBelow(value, lower)) lower = value;
    if (upper === null || isBelow(upper, value)) upper = value;
  }
  return { containsNull: all.includes(null), lower: encoded(type, lower), upper: encoded(type, upper) };
}

/** Texts in the order of their UTF-8 bytes. */
function isBelow(one: Exclude<PartitionValue, null>, other: Exclude<PartitionValue, null>): boolean {
  if (typeof one === 'string') return Buffer.compare(Buffer.from(one), Buffer.from(String(other))) < 0;
  return one < other;
}

/** Whole: bounds of partitions are not cut. */
function encoded(type: IcebergType, value: PartitionValue): Uint8Array | null {
  if (value === null) return null;
  return typeof value === 'string' ? Buffer.from(value) : (boundOf(type, String(value), 'lower') ?? null);
}
