import type { JsonValue } from '../../base/index.ts';
import { Cell } from '../aggregate/cell.ts';
import type { InputSlice } from '../aggregate/input-slice.ts';
import { FoldSlider, type Slider } from '../aggregate/slider.ts';
import { quotient } from '../evaluate.ts';
import type { AggregatePlan, MeasurePlan, ViewPlan } from '../plan.ts';
import { RowBlocks } from '../state/row-blocks.ts';
import type { EntityRows } from './event-columns.ts';
import { type Ranges, rangesOf } from './ranges.ts';

/** Of one measure over one window, by instant: the result; undefined where no event counts. */
type Series = (JsonValue | undefined)[];

/**
 * The aggregate features of one entity at rising instants: a value for each instant, by feature in the order of the plan. Counts and sums are differences of running totals, which all
 * windows share; for others each window is moved forward once over its rows, so that an event enters and leaves it once, however many instants there are.
 */
export function slideEntity(plan: ViewPlan, rows: EntityRows, timesMs: Float64Array): JsonValue[][] {
  const ranges = plan.windows.map(({ window }) => rangesOf(window, rows.timesMs, timesMs));
  const blocks = new SharedBlocks(plan, rows);
  const series = plan.windows.map(({ measures }, window) =>
    measures.map(measure => seriesOf(plan.measures[measure], measure, rows, ranges[window], timesMs, blocks)),
  );
  return plan.aggregates.map(aggregate =>
    valuesOf(plan, aggregate, series[aggregate.window], rows, ranges[aggregate.window], timesMs),
  );
}

function valuesOf(
  plan: ViewPlan,
  aggregate: AggregatePlan,
  series: readonly Series[],
  rows: EntityRows,
  ranges: Ranges,
  timesMs: Float64Array,
): JsonValue[] {
  const { ttlMs } = plan;
  const measures = aggregate.slots.map(slot => plan.measures[plan.windows[aggregate.window].measures[slot]]);
  const [first, second] = aggregate.slots.map(slot => series[slot]);
  return first.map((value, index) => {
    const divisor = second?.[index];
    if (value === undefined && divisor === undefined) return aggregate.empty;
    if (ttlMs !== null && timesMs[index] - newestMs(measures, rows, ranges, index) > ttlMs) return null;
    return second === undefined ? value! : quotient(value ?? measures[0].empty, divisor ?? measures[1].empty);
  });
}

/** Of the newest row in a window that counts in one of the measures; one does. */
function newestMs(measures: readonly MeasurePlan[], rows: EntityRows, { from, to }: Ranges, index: number): number {
  const last = Math.max(...measures.map(({ input }) => rows.inputs[input].lastBefore(to[index])));
  return last < from[index] ? Number.NEGATIVE_INFINITY : rows.timesMs[last];
}

function seriesOf(
  plan: MeasurePlan,
  measure: number,
  rows: EntityRows,
  ranges: Ranges,
  timesMs: Float64Array,
  blocks: SharedBlocks,
): Series {
  const input = rows.inputs[plan.input];
  const read = plan.aggregation.ranges?.(input) ?? null;
  if (read !== null) return rangeSeries(read, input, ranges);
  const slider = sliderOf(plan, input);
  return slider === null ? blocks.series(measure, ranges, timesMs) : slidSeries(slider, input, rows, ranges, timesMs);
}

function rangeSeries(read: (from: number, to: number) => JsonValue, input: InputSlice, { from, to }: Ranges): Series {
  const series: Series = new Array(from.length);
  for (let index = 0; index < from.length; index++) {
    series[index] = input.countIn(from[index], to[index]) === 0 ? undefined : read(from[index], to[index]);
  }
  return series;
}

/** Null where taking out is not exact: a sketch beyond its bound remembers what has left. */
function sliderOf({ aggregation }: MeasurePlan, input: InputSlice): Slider | null {
  const { exactUpTo } = aggregation;
  if (exactUpTo !== undefined && input.size > exactUpTo) {
    const distinct = new Set<unknown>();
    for (let row = 0; row < input.size; row++) if (input.counts(row)) distinct.add(input.at(row));
    if (distinct.size > exactUpTo) return null;
  }
  if (aggregation.slide !== undefined) return aggregation.slide();
  const fold = aggregation.create();
  return fold.retract === undefined ? null : new FoldSlider(fold, aggregation.ages ?? false);
}

function slidSeries(slider: Slider, input: InputSlice, rows: EntityRows, { from, to }: Ranges, timesMs: Float64Array): Series {
  const series: Series = new Array(timesMs.length);
  let entered = 0;
  let left = 0;
  let inside = 0;
  let value: JsonValue | undefined;
  for (let index = 0; index < timesMs.length; index++) {
    let changed = slider.ages ?? false;
    for (; entered < to[index]; entered++) {
      const own = input.at(entered);
      if (own === null) continue;
      slider.enter(own, rows.timesMs[entered], rows.order[entered]);
      inside++;
      changed = true;
    }
    for (; left < from[index]; left++) {
      const own = input.at(left);
      if (own === null) continue;
      slider.leave(own, rows.timesMs[left], rows.order[left]);
      inside--;
      changed = true;
    }
    // Nothing came or went: the value is the same object, and costs nothing.
    if (changed) value = inside === 0 ? undefined : slider.result(timesMs[index]);
    series[index] = value;
  }
  return series;
}

/** The rows as online reads have them, for what can neither slide nor be told from totals; made when first needed. */
class SharedBlocks {
  readonly #plan: ViewPlan;
  readonly #rows: EntityRows;
  #blocks: RowBlocks | null = null;

  constructor(plan: ViewPlan, rows: EntityRows) {
    this.#plan = plan;
    this.#rows = rows;
  }

  series(measure: number, { from, to }: Ranges, timesMs: Float64Array): Series {
    this.#blocks ??= this.#make();
    const blocks = this.#blocks;
    return Array.from(timesMs, (atMs, index) => {
      const cell = new Cell(this.#plan.measures[measure].aggregation.create());
      blocks.foldInto(cell, measure, blocks.placeOf(from[index]), blocks.placeOf(to[index]));
      return cell.count === 0 ? undefined : cell.fold.result(atMs);
    });
  }

  #make(): RowBlocks {
    const { timesMs, order, inputs } = this.#rows;
    const rows = Array.from(timesMs, (timeMs, row) => ({ timeMs, seq: order[row], inputs: inputs.map(input => input.at(row)) }));
    return RowBlocks.of(this.#plan.measures, rows);
  }
}
