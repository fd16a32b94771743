import type { JsonValue } from '../../base/index.ts';
import { type Input, presence } from '../aggregate/fold.ts';
import { InputSlice } from '../aggregate/input-slice.ts';
import { Totals } from '../aggregate/range-sums.ts';
import { inputOf, type ViewPlan } from '../plan.ts';

const FIRST_CAPACITY = 1024;

/** The rows of one entity in the order of (event time, ingest position), by column. */
export interface EntityRows {
  timesMs: Float64Array;
  /** Numbers that rise with the ingest position. */
  order: Int32Array;
  /** By input of the plan. */
  inputs: readonly InputSlice[];
}

/** Events of many entities, by column: what a row keeps of one is a number in a few arrays, not an object. Events come in log order. */
export class EventColumns {
  readonly #plan: ViewPlan;
  readonly #entities: number;
  readonly #entity = new NumberColumn();
  readonly #timesMs = new NumberColumn();
  readonly #inputs: InputColumn[];

  constructor(plan: ViewPlan, entities: number) {
    this.#plan = plan;
    this.#entities = entities;
    this.#inputs = plan.inputs.map(input => new InputColumn(input.inputOf === presence));
  }

  push(entity: number, timeMs: number, value: JsonValue): void {
    this.#entity.push(entity);
    this.#timesMs.push(timeMs);
    for (let index = 0; index < this.#inputs.length; index++) this.#inputs[index].push(inputOf(this.#plan.inputs[index], value));
  }

  /** Entity by entity, after the last event. */
  *byEntity(): Generator<{ entity: number; rows: EntityRows }> {
    const { starts, order } = this.#grouped();
    sortGroups(starts, order, this.#timesMs.numbers);
    const timesMs = gathered(this.#timesMs.numbers, order);
    for (const input of this.#inputs) input.reorder(order);
    for (let entity = 0; entity < this.#entities; entity++) {
      const [from, to] = [starts[entity], starts[entity + 1]];
      yield {
        entity,
        rows: {
          timesMs: timesMs.subarray(from, to),
          order: order.subarray(from, to),
          inputs: this.#inputs.map(input => input.slice(from, to)),
        },
      };
    }
  }

  /** Row numbers by entity, in log order within each. */
  #grouped(): { starts: Int32Array; order: Int32Array } {
    const starts = new Int32Array(this.#entities + 1);
    const { numbers, size } = this.#entity;
    for (let row = 0; row < size; row++) starts[numbers[row] + 1]++;
    for (let entity = 0; entity < this.#entities; entity++) starts[entity + 1] += starts[entity];
    const next = starts.slice();
    const order = new Int32Array(size);
    for (let row = 0; row < size; row++) order[next[numbers[row]]++] = row;
    return { starts, order };
  }
}

/** Sorts the rows of each group by time, in place; rows of one time stay in log order. */
function sortGroups(starts: Int32Array, order: Int32Array, timesMs: Float64Array): void {
  const largest = starts.reduce((most, start, group) => Math.max(most, group === 0 ? 0 : start - starts[group - 1]), 0);
  const keys = new Float64Array(largest);
  const before = new Int32Array(largest);
  for (let group = 0; group + 1 < starts.length; group++)
    sortRows(order, starts[group], starts[group + 1], timesMs, keys, before);
}

/** Mostly by numbers that hold time and place at once, which sort without a comparison in JavaScript. */
function sortRows(
  order: Int32Array,
  from: number,
  to: number,
  timesMs: Float64Array,
  keys: Float64Array,
  before: Int32Array,
): void {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  let rises = true;
  for (let at = from; at < to; at++) {
    const timeMs = timesMs[order[at]];
    if (timeMs < last) rises = false;
    if (timeMs < first) first = timeMs;
    if (timeMs > last) last = timeMs;
  }
  if (rises) return;
  const size = to - from;
  if ((last - first + 1) * size > Number.MAX_SAFE_INTEGER) {
    order.subarray(from, to).sort((a, b) => timesMs[a] - timesMs[b] || a - b);
    return;
  }
  for (let at = 0; at < size; at++) {
    before[at] = order[from + at];
    keys[at] = (timesMs[before[at]] - first) * size + at;
  }
  keys.subarray(0, size).sort();
  for (let at = 0; at < size; at++) order[from + at] = before[keys[at] % size];
}

function gathered(numbers: Float64Array, rows: Int32Array): Float64Array {
  const picked = new Float64Array(rows.length);
  for (let at = 0; at < rows.length; at++) picked[at] = numbers[rows[at]];
  return picked;
}

class NumberColumn {
  numbers: Float64Array<ArrayBuffer> = new Float64Array(FIRST_CAPACITY);
  size = 0;

  push(value: number): void {
    if (this.size === this.numbers.length) {
      const wider = new Float64Array(this.size * 2);
      wider.set(this.numbers);
      this.numbers = wider;
    }
    this.numbers[this.size++] = value;
  }
}

/** Numbers, with NaN for what does not count, until the first input that is none. */
class InputColumn {
  /** Inputs are only ever true or null, and true is kept as 1. */
  readonly #flags: boolean;
  #numbers: NumberColumn | null = new NumberColumn();
  #values: (Input | null)[] = [];
  #sorted: Float64Array | (Input | null)[] = [];
  #complete = false;
  readonly #totals = new Totals();

  constructor(flags: boolean) {
    this.#flags = flags;
  }

  push(input: Input | null): void {
    if (this.#numbers === null) this.#values.push(input);
    else if (input === null) this.#numbers.push(Number.NaN);
    else if (typeof input === 'number') this.#numbers.push(input);
    else if (this.#flags) this.#numbers.push(1);
    else this.#widen(this.#numbers, input);
  }

  #widen({ numbers, size }: NumberColumn, input: Input): void {
    this.#values = Array.from(numbers.subarray(0, size), number => (Number.isNaN(number) ? null : number));
    this.#values.push(input);
    this.#numbers = null;
  }

  /** Once, after the last push. */
  reorder(order: Int32Array): void {
    const values = this.#values;
    if (this.#numbers !== null) {
      this.#sorted = gathered(this.#numbers.numbers, order);
      this.#complete = !this.#sorted.some(Number.isNaN);
    } else {
      this.#sorted = Array.from(order, row => values[row]);
      this.#complete = !values.includes(null);
    }
    this.#numbers = null;
    this.#values = [];
  }

  slice(from: number, to: number): InputSlice {
    const sorted = this.#sorted;
    const own = sorted instanceof Float64Array ? sorted.subarray(from, to) : sorted.slice(from, to);
    return new InputSlice(own, this.#totals, this.#complete);
  }
}
