import { namingDamage, TailwaterError, utf8 } from '../../base/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import { decodeLayer, layerSize, type StatisticsLayer } from './layer.ts';
import { murmur128 } from './murmur.ts';

/**
 * The statistics of one table state (R3): documents, tokens and document frequencies of its text, and which keys it may hold.
 * A stack of immutable layers, oldest first, that add up; look-ups ask every layer, so a new state costs only its new layer.
 * Terms and keys are known by 64-bit hashes: a collision (one table of a million terms in 10^7 has one) only overstates.
 */
export class TableStatistics {
  static readonly EMPTY = new TableStatistics([], []);

  /** Keys in the object store, oldest first, as the table state lists them. */
  readonly objectKeys: readonly string[];
  /** Index-aligned with `objectKeys`. */
  readonly layers: readonly StatisticsLayer[];
  readonly documents: number;
  readonly tokens: number;
  readonly #hash = new Uint32Array(4);

  constructor(objectKeys: readonly string[], layers: readonly StatisticsLayer[]) {
    this.objectKeys = objectKeys;
    this.layers = layers;
    this.documents = layers.reduce((sum, layer) => sum + layer.documents, 0);
    this.tokens = layers.reduce((sum, layer) => sum + layer.tokens, 0);
  }

  /**
   * Reads the layers of a table state; those `previous` already holds are taken from it, since objects never change.
   * Throws TW_DATA_DAMAGED when an object is absent or damaged, TW_FORMAT_TOO_NEW.
   */
  static async load(store: ObjectStore, keys: readonly string[], previous?: TableStatistics): Promise<TableStatistics> {
    if (keys.length === 0) return TableStatistics.EMPTY;
    const layers = await Promise.all(keys.map(key => previous?.layerOf(key) ?? readLayer(store, key)));
    return new TableStatistics(keys, layers);
  }

  layerOf(objectKey: string): StatisticsLayer | undefined {
    const index = this.objectKeys.indexOf(objectKey);
    return index < 0 ? undefined : this.layers[index];
  }

  /** Rows whose text contains the (analyzed) term. */
  documentFrequency(term: string): number {
    murmur128(utf8(term), this.#hash);
    let sum = 0;
    for (const layer of this.layers) sum += layer.terms.count(this.#hash[0], this.#hash[1]);
    return sum;
  }

  /** False: the table certainly has no row of this key. Upsert streams only. */
  mayHaveKey(key: Uint8Array): boolean {
    murmur128(key, this.#hash);
    let sum = 0;
    for (const layer of this.layers) sum += layer.keys.count(this.#hash[0], this.#hash[1]);
    return sum > 0;
  }

  /** Terms and keys over all layers: what the statistics cost in memory, at 8-12 bytes each. */
  get entries(): number {
    return this.layers.reduce((sum, layer) => sum + layerSize(layer), 0);
  }

  stats(): Record<string, number> {
    return { documents: this.documents, tokens: this.tokens, layers: this.layers.length, entries: this.entries };
  }
}

async function readLayer(store: ObjectStore, key: string): Promise<StatisticsLayer> {
  const stored = await store.get(key);
  if (stored === null) {
    throw new TailwaterError('TW_HISTORY_EXPIRED', { detail: `The table statistics object ${key} is no longer kept.` });
  }
  return namingDamage(key, () => decodeLayer(stored.bytes));
}
