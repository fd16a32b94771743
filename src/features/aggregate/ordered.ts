import type { JsonValue } from '../../base/index.ts';
import { type Aggregation, anything, type Fold, finite, type Input } from './fold.ts';
import { EdgeSlider, ExtremesSlider } from './slider.ts';

interface Entry {
  value: Input;
  timeMs: number;
  seq: number;
}

/** The first or last n events by (event time, ingest position). */
class EdgeFold implements Fold {
  readonly #edge: Edge;
  /** In the order of the answer's interest: the outermost first. */
  #entries: Entry[];

  constructor(edge: Edge, entries: Entry[] = []) {
    this.#edge = edge;
    this.#entries = entries;
  }

  add(value: Input, timeMs: number, seq: number): void {
    this.#take({ value, timeMs, seq });
  }

  merge(other: Fold): void {
    for (const entry of (other as EdgeFold).#entries) if (!this.#take(entry)) return;
  }

  #take(entry: Entry): boolean {
    const entries = this.#entries;
    let at = entries.length;
    while (at > 0 && this.#isBefore(entry, entries[at - 1])) at--;
    if (at >= this.#edge.n) return false;
    entries.splice(at, 0, entry);
    if (entries.length > this.#edge.n) entries.pop();
    return true;
  }

  #isBefore(a: Entry, b: Entry): boolean {
    const order = a.timeMs - b.timeMs || a.seq - b.seq;
    return this.#edge.last ? order > 0 : order < 0;
  }

  /** Lists are in the order of time. */
  result(): JsonValue {
    if (this.#edge.single) return this.#entries[0].value;
    const values = this.#entries.map(entry => entry.value);
    return this.#edge.last ? values.reverse() : values;
  }

  encode(): JsonValue {
    return this.#entries.map(({ value, timeMs, seq }) => [value, timeMs, seq]);
  }
}

interface Edge {
  last: boolean;
  n: number;
  /** The answer is the one value, not a list of it. */
  single: boolean;
}

export function edgeAggregation(edge: Edge): Aggregation {
  return {
    inputOf: anything,
    create: () => new EdgeFold(edge),
    slide: () => new EdgeSlider(edge),
    restore: encoded =>
      new EdgeFold(
        edge,
        (encoded as [JsonValue, number, number][]).map(([value, timeMs, seq]) => ({ value, timeMs, seq })),
      ),
  };
}

/** The n largest or smallest numbers, repeated ones repeatedly, best first. */
class ExtremesFold implements Fold {
  readonly #options: ExtremesOptions;
  #values: number[];

  constructor(options: ExtremesOptions, values: number[] = []) {
    this.#options = options;
    this.#values = values;
  }

  add(input: Input): void {
    this.#take(input as number);
  }

  merge(other: Fold): void {
    for (const value of (other as ExtremesFold).#values) if (!this.#take(value)) return;
  }

  #take(value: number): boolean {
    const values = this.#values;
    const { n, sign } = this.#options;
    if (values.length === n && (value - values[n - 1]) * sign <= 0) return false;
    let low = 0;
    let high = values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((value - values[middle]) * sign > 0) high = middle;
      else low = middle + 1;
    }
    values.splice(low, 0, value);
    if (values.length > n) values.pop();
    return true;
  }

  result(): JsonValue {
    return [...this.#values];
  }

  encode(): JsonValue {
    return [...this.#values];
  }
}

interface ExtremesOptions {
  n: number;
  /** 1: largest; -1: smallest. */
  sign: number;
}

export function extremesAggregation(which: 'min' | 'max', n: number): Aggregation {
  const options = { n, sign: which === 'max' ? 1 : -1 };
  return {
    inputOf: finite,
    create: () => new ExtremesFold(options),
    slide: () => new ExtremesSlider(options),
    restore: encoded => new ExtremesFold(options, [...(encoded as number[])]),
  };
}
