import type { JsonValue } from '../../base/index.ts';
import { Cell } from '../aggregate/cell.ts';
import { FoldSlider, type Slider } from '../aggregate/slider.ts';
import { quotient } from '../evaluate.ts';
import type { AggregatePlan, MeasurePlan, ViewPlan } from '../plan.ts';
import { type Row, RowBlocks } from '../state/row-blocks.ts';
import { type Ranges, rangesOf } from './ranges.ts';

/** Of one measure over one window, by instant. */
interface Series {
  /** The result; undefined where no event counts. */
  values: (JsonValue | undefined)[];
  /** Time of the newest event that counts. */
  newestMs: Float64Array;
}

/**
 * The aggregate features of one entity at rising instants, by moving each window forward once over its rows: an event enters and leaves it once,
 * however many instants there are. By feature in the order of the plan, a value for each instant.
 */
export function slideEntity(plan: ViewPlan, rows: readonly Row[], timesMs: readonly number[]): JsonValue[][] {
  const ranges = plan.windows.map(({ window }) => rangesOf(window, rows, timesMs));
  const series = plan.windows.map(({ measures }, window) =>
    measures.map(measure => seriesOf(plan, measure, rows, ranges[window], timesMs)),
  );
  return plan.aggregates.map(aggregate => valuesOf(plan, aggregate, series[aggregate.window], timesMs));
}

function valuesOf(plan: ViewPlan, aggregate: AggregatePlan, series: readonly Series[], timesMs: readonly number[]): JsonValue[] {
  const { measures } = plan.windows[aggregate.window];
  const [first, second] = aggregate.slots.map(slot => series[slot]);
  const emptyOf = (slot: number): JsonValue => plan.measures[measures[aggregate.slots[slot]]].empty;
  return timesMs.map((atMs, index) => {
    const value = first.values[index];
    const divisor = second?.values[index];
    if (value === undefined && divisor === undefined) return aggregate.empty;
    const newestMs = Math.max(first.newestMs[index], second?.newestMs[index] ?? Number.NEGATIVE_INFINITY);
    if (plan.ttlMs !== null && atMs - newestMs > plan.ttlMs) return null;
    return second === undefined ? value! : quotient(value ?? emptyOf(0), divisor ?? emptyOf(1));
  });
}

function seriesOf(plan: ViewPlan, measure: number, rows: readonly Row[], ranges: Ranges, timesMs: readonly number[]): Series {
  const slider = sliderOf(plan.measures[measure], rows);
  return slider === null
    ? foldedSeries(plan, measure, rows, ranges, timesMs)
    : slidSeries(slider, plan.measures[measure].input, rows, ranges, timesMs);
}

/** Null where taking out is not exact: a sketch beyond its bound remembers what has left. */
function sliderOf({ aggregation, input }: MeasurePlan, rows: readonly Row[]): Slider | null {
  if (aggregation.slide !== undefined) return aggregation.slide();
  const fold = aggregation.create();
  if (fold.retract === undefined) return null;
  if (aggregation.exactUpTo !== undefined) {
    const distinct = new Set<unknown>();
    for (const row of rows) if (row.inputs[input] !== null) distinct.add(row.inputs[input]);
    if (distinct.size > aggregation.exactUpTo) return null;
  }
  return new FoldSlider(fold, aggregation.ages ?? false);
}

function slidSeries(
  slider: Slider,
  input: number,
  rows: readonly Row[],
  { from, to }: Ranges,
  timesMs: readonly number[],
): Series {
  const values = new Array<JsonValue | undefined>(timesMs.length);
  const newestMs = new Float64Array(timesMs.length);
  let entered = 0;
  let left = 0;
  let inside = 0;
  let newest = Number.NEGATIVE_INFINITY;
  let value: JsonValue | undefined;
  for (let index = 0; index < timesMs.length; index++) {
    let changed = slider.ages ?? false;
    for (; entered < to[index]; entered++) {
      const row = rows[entered];
      if (row.inputs[input] === null) continue;
      slider.enter(row.inputs[input], row.timeMs, row.seq);
      newest = row.timeMs;
      inside++;
      changed = true;
    }
    for (; left < from[index]; left++) {
      const row = rows[left];
      if (row.inputs[input] === null) continue;
      slider.leave(row.inputs[input], row.timeMs, row.seq);
      inside--;
      changed = true;
    }
    // Nothing came or went: the value is the same object, and costs nothing.
    if (changed) value = inside === 0 ? undefined : slider.result(timesMs[index]);
    values[index] = value;
    newestMs[index] = newest;
  }
  return { values, newestMs };
}

function foldedSeries(
  plan: ViewPlan,
  measure: number,
  rows: readonly Row[],
  { from, to }: Ranges,
  timesMs: readonly number[],
): Series {
  const blocks = RowBlocks.of(plan.measures, rows);
  const cells = timesMs.map((_, index) => {
    const cell = new Cell(plan.measures[measure].aggregation.create());
    blocks.foldInto(cell, measure, blocks.placeOf(from[index]), blocks.placeOf(to[index]));
    return cell;
  });
  return {
    values: cells.map((cell, index) => (cell.count === 0 ? undefined : cell.fold.result(timesMs[index]))),
    newestMs: Float64Array.from(cells, cell => cell.newestMs),
  };
}
