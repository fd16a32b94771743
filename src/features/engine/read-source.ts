import { byteString, fromUtf8, type JsonValue } from '../../base/index.ts';
import { headsOf, type Pinned, readKeptOffsets } from '../../snapshot/index.ts';
import type { StreamRecord } from '../../streams/index.ts';
import type { FeatureEvent } from '../state/view-state.ts';

/** Offsets of a partition that are read at once. */
const PAGE_OFFSETS = 2000;

/**
 * The next records of a stream in log order, over all partitions, from the table and the tail of one instant. `next` is moved past them.
 * Empty only when `next` has passed the instant's heads. `onGap`: there are offsets whose records are no longer kept.
 * `heads`: an earlier end.
 */
export async function readNext(
  pinned: Pinned,
  next: number[],
  onGap: () => void = () => {},
  heads: readonly number[] = headsOf(pinned),
): Promise<FeatureEvent[]> {
  for (let partition = next.length; partition < heads.length; partition++) next.push(0);
  for (;;) {
    const open = [...heads.keys()].filter(partition => next[partition] <= heads[partition]);
    if (open.length === 0) return [];
    const ends = open.map(partition => Math.min(heads[partition], next[partition] + PAGE_OFFSETS - 1));
    const pages = await Promise.all(
      open.map((partition, index) => readKeptOffsets(pinned, partition, next[partition], ends[index] - next[partition] + 1)),
    );
    if (pages.some((page, index) => page.length <= ends[index] - next[open[index]])) onGap();
    // Beyond the last record of a partition that has more, another partition's records may not be next.
    const bound = Math.min(
      ...pages.map((page, index) => (ends[index] < heads[open[index]] ? lastSeq(page) : Number.POSITIVE_INFINITY)),
    );
    const records = pages.flat().filter(record => record.seq <= bound);
    open.forEach((partition, index) => {
      const left = pages[index].find(record => record.seq > bound);
      next[partition] = left === undefined ? ends[index] + 1 : left.offset;
    });
    if (records.length > 0) return records.sort((a, b) => a.seq - b.seq).map(eventOf);
  }
}

/** A page of offsets that are gone holds nothing back. */
function lastSeq(page: readonly StreamRecord[]): number {
  return page.at(-1)?.seq ?? Number.POSITIVE_INFINITY;
}

function eventOf({ seq, key, timeMs, ingestedAtMs, value }: StreamRecord): FeatureEvent {
  return {
    seq,
    key: key === null ? null : byteString(key),
    timeMs,
    ingestedAtMs,
    value: value === null ? null : (JSON.parse(fromUtf8(value)) as JsonValue),
  };
}
