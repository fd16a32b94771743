import { type Random, randomId, TailwaterError } from '../../base/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import { encodeLayer, isEmptyLayer, layerSize, mergeLayers, type StatisticsLayer } from './layer.ts';
import { TableStatistics } from './statistics.ts';

/** Layers below this many entries count as this many: tiny deltas merge at once instead of piling up. */
const SMALLEST_LAYER = 1024;

/**
 * How many of the oldest layers stay as they are when one is added; the rest become one new layer together with it.
 * A layer is rewritten only when what comes after it has grown to half its size, so an entry is rewritten O(log n) times,
 * and sizes at least halve from layer to layer, so there are O(log n) layers. `sizes` is oldest first, the new one last.
 */
export function keptLayers(sizes: readonly number[]): number {
  let kept = sizes.length - 1;
  let merged = Math.max(SMALLEST_LAYER, sizes[kept]);
  while (kept > 0 && Math.max(SMALLEST_LAYER, sizes[kept - 1]) <= 2 * merged) merged += sizes[--kept];
  return kept;
}

/**
 * Puts a delta on top of the statistics, writes the one new object this needs, and returns the statistics of the next state.
 * The object is garbage until a committed state names it; its name begins with the number of that state, so that it certainly is garbage
 * once another state has the number, however long its writer slept.
 */
export async function stackLayer(
  store: ObjectStore,
  random: Random,
  forState: { incarnation: string; n: number },
  base: TableStatistics,
  delta: StatisticsLayer,
): Promise<TableStatistics> {
  if (isEmptyLayer(delta)) return base;
  const kept = keptLayers([...base.layers.map(layerSize), layerSize(delta)]);
  const merged = base.layers.slice(kept).reduceRight((newer, older) => mergeLayers(older, newer), delta);
  const key = `${statisticsPrefix(forState.incarnation)}${forState.n}-${randomId(random)}`;
  const outcome = await store.put(key, encodeLayer(merged), { ifAbsent: true });
  if (outcome.kind !== 'ok' && !(await wasWritten(store, key))) {
    throw new TailwaterError('TW_COMPACTION_FAILED', {
      detail: `The statistics object ${key} could not be written (${outcome.kind}).`,
    });
  }
  return new TableStatistics([...base.objectKeys.slice(0, kept), key], [...base.layers.slice(0, kept), merged]);
}

export function statisticsPrefix(incarnation: string): string {
  return `tables/${incarnation}/statistics/`;
}

/** The state that a statistics object was written for; 0 when its name does not say. */
export function statisticsState(key: string): number {
  const [digits] = key.slice(key.lastIndexOf('/') + 1).split('-', 1);
  return /^[0-9]{1,15}$/.test(digits) ? Number(digits) : 0;
}

/** The name is random and used once: whatever is there is ours. */
async function wasWritten(store: ObjectStore, key: string): Promise<boolean> {
  return (await store.head(key)) !== null;
}
