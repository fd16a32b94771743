import type { ObjectStore } from '../../storage/index.ts';
import { TableStates } from '../states/table-states.ts';
import { TableStatistics } from '../statistics/statistics.ts';

const MAX_TABLES = 256;
/** Entries of statistics layers, 8-12 bytes each. */
const MAX_ENTRIES = 8_000_000;

interface Remembered {
  states: TableStates;
  statistics: TableStatistics;
}

/**
 * What a compactor remembers of tables from one call to the next, so that a compaction reads only what is new: the last known state and
 * the statistics layers. Bounded; forgetting costs reads only, since states are polled and layers never change.
 */
export class TableMemory {
  readonly #store: ObjectStore;
  /** Least recently used first. */
  readonly #tables = new Map<string, Remembered>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  states(incarnation: string): TableStates {
    return this.#remembered(incarnation).states;
  }

  async statistics(incarnation: string, objectKeys: readonly string[]): Promise<TableStatistics> {
    const { statistics } = this.#remembered(incarnation);
    const loaded = await TableStatistics.load(this.#store, objectKeys, statistics);
    this.remember(incarnation, loaded);
    return loaded;
  }

  remember(incarnation: string, statistics: TableStatistics): void {
    this.#remembered(incarnation).statistics = statistics;
    this.#forgetBeyond();
  }

  #remembered(incarnation: string): Remembered {
    let table = this.#tables.get(incarnation);
    if (table !== undefined) this.#tables.delete(incarnation);
    table ??= { states: new TableStates(this.#store, incarnation), statistics: TableStatistics.EMPTY };
    this.#tables.set(incarnation, table);
    return table;
  }

  #forgetBeyond(): void {
    let entries = 0;
    for (const { statistics } of this.#tables.values()) entries += statistics.entries;
    for (const [incarnation, { statistics }] of this.#tables) {
      const fits = entries <= MAX_ENTRIES && this.#tables.size <= MAX_TABLES;
      if (fits || this.#tables.size === 1) return;
      this.#tables.delete(incarnation);
      entries -= statistics.entries;
    }
  }
}
