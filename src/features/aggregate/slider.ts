import type { JsonValue } from '../../base/index.ts';
import type { Fold, Input } from './fold.ts';

/**
 * An aggregation over a window that only moves forward: events enter at its newer end in their order, and leave in the same order. The result
 * is that of a fold over what is inside.
 */
export interface Slider {
  enter(input: Input, timeMs: number, seq: number): void;
  leave(input: Input, timeMs: number, seq: number): void;
  result(atMs: number): JsonValue;
  /** The result changes with the instant, not only with what is inside. */
  readonly ages?: boolean;
}

/** For folds that retract exactly. */
export class FoldSlider implements Slider {
  readonly #fold: Fold;
  readonly ages: boolean;

  constructor(fold: Fold, ages: boolean) {
    this.#fold = fold;
    this.ages = ages;
  }

  enter(input: Input, timeMs: number, seq: number): void {
    this.#fold.add(input, timeMs, seq);
  }

  leave(input: Input, timeMs: number, seq: number): void {
    this.#fold.retract!(input, timeMs, seq);
  }

  result(atMs: number): JsonValue {
    return this.#fold.result(atMs);
  }
}

/** The first or last of what is inside. */
export class EdgeSlider implements Slider {
  readonly #edge: { last: boolean; n: number; single: boolean };
  readonly #inputs: Input[] = [];
  #start = 0;

  constructor(edge: { last: boolean; n: number; single: boolean }) {
    this.#edge = edge;
  }

  enter(input: Input): void {
    this.#inputs.push(input);
  }

  leave(): void {
    this.#start++;
  }

  result(): JsonValue {
    const { last, n, single } = this.#edge;
    const inputs = this.#inputs;
    if (single) return last ? inputs[inputs.length - 1] : inputs[this.#start];
    return last ? inputs.slice(Math.max(this.#start, inputs.length - n)) : inputs.slice(this.#start, this.#start + n);
  }
}

/** The largest (sign 1) or smallest (sign -1): only those that nothing newer exceeds are kept. */
export class ExtremeSlider implements Slider {
  readonly #sign: number;
  readonly #values: number[] = [];
  /** How many have entered before each of `#values`. */
  readonly #places: number[] = [];
  #start = 0;
  #entered = 0;
  #left = 0;

  constructor(sign: number) {
    this.#sign = sign;
  }

  enter(input: Input): void {
    const value = input as number;
    while (this.#values.length > this.#start && (value - this.#values[this.#values.length - 1]) * this.#sign >= 0) {
      this.#values.pop();
      this.#places.pop();
    }
    this.#values.push(value);
    this.#places.push(this.#entered++);
  }

  leave(): void {
    if (this.#places[this.#start] === this.#left++) this.#start++;
  }

  result(): JsonValue {
    return this.#values[this.#start];
  }
}

/** The n largest (sign 1) or smallest (sign -1): everything inside, sorted. */
export class ExtremesSlider implements Slider {
  readonly #options: { n: number; sign: number };
  readonly #sorted: number[] = [];

  constructor(options: { n: number; sign: number }) {
    this.#options = options;
  }

  enter(input: Input): void {
    this.#sorted.splice(this.#placeOf(input as number), 0, input as number);
  }

  leave(input: Input): void {
    this.#sorted.splice(this.#placeOf(input as number) - 1, 1);
  }

  /** After everything that is better or equal. */
  #placeOf(value: number): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((value - this.#sorted[middle]) * this.#options.sign > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  result(): JsonValue {
    return this.#sorted.slice(0, this.#options.n);
  }
}
