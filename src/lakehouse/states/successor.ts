import { AdditiveHash } from '../../base/index.ts';
import type { TableState } from '../table-types.ts';

/**
 * What must hold between a state and its successor, checked before every commit. `newOffsets` is the additive hash of the offsets
 * between the two watermarks. Returns what is wrong, or null.
 */
export function successorFault(previous: TableState | null, next: TableState, newOffsets: AdditiveHash): string | null {
  if (next.n !== (previous?.n ?? 0) + 1) return `state ${next.n} does not follow ${previous?.n ?? 0}`;
  if (next.logSeq < (previous?.logSeq ?? 0)) return `logSeq falls from ${previous?.logSeq} to ${next.logSeq}`;
  const fallen = (previous?.watermark ?? []).findIndex((offset, partition) => (next.watermark[partition] ?? -1) < offset);
  if (fallen >= 0) return `the watermark of partition ${fallen} falls`;
  if (next.rowCount < 0 || next.changeCount < 0 || next.nullVectors < 0) return 'a count is negative';
  const fault = expiryFault(previous, next);
  return fault ?? accountingFault(previous, next, newOffsets);
}

/** What has expired does not come back. */
function expiryFault(previous: TableState | null, next: TableState): string | null {
  const before = previous?.expired;
  if (before === undefined) return null;
  if ((next.expired?.count ?? 0) < before.count) return `fewer records have expired than before`;
  const fallen = before.through.findIndex((offset, partition) => (next.expired?.through[partition] ?? -1) < offset);
  return fallen < 0 ? null : `the expired offset of partition ${fallen} falls`;
}

/** Every offset up to the watermark is in exactly one of rows, changes and expired (design, section 6). */
function accountingFault(previous: TableState | null, next: TableState, newOffsets: AdditiveHash): string | null {
  const expected = previous === null ? new AdditiveHash() : accounted(previous);
  expected.addHash(newOffsets);
  const found = accounted(next);
  return expected.toString() === found.toString() ? null : `rows and changes account for ${found}, the log for ${expected}`;
}

function accounted(state: TableState): AdditiveHash {
  const sum = AdditiveHash.parse(state.rowsHash);
  sum.addHash(AdditiveHash.parse(state.changesHash));
  sum.addHash(AdditiveHash.parse(state.expiredHash));
  return sum;
}
