import type { TableState } from '../table-types.ts';

/** States are immutable and a few kilobytes each. */
const MAX_STATES = 128;

/** The most recently used table states, by number. */
export class StateCache {
  readonly #states = new Map<number, TableState>();

  get size(): number {
    return this.#states.size;
  }

  get(n: number): TableState | undefined {
    const state = this.#states.get(n);
    if (state !== undefined) {
      this.#states.delete(n);
      this.#states.set(n, state);
    }
    return state;
  }

  set(state: TableState): void {
    this.#states.delete(state.n);
    this.#states.set(state.n, state);
    if (this.#states.size <= MAX_STATES) return;
    for (const oldest of this.#states.keys()) {
      this.#states.delete(oldest);
      return;
    }
  }
}
