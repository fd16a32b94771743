import type { JsonValue } from '../base/index.ts';
import { evaluate } from './expression/evaluate.ts';
import type { AggregatePlan, ViewPlan } from './plan.ts';
import type { EntityState, WindowCells } from './state/entity-state.ts';

/**
 * `present`: events count in it. `default`: none does. `expired`: the newest is older than the view's `ttl`; the value is null.
 * `not_found`: no window of the view has any event of the entity.
 */
export type FeatureStatus = 'present' | 'default' | 'expired' | 'not_found';

export interface FeatureAnswer {
  value: JsonValue;
  status: FeatureStatus;
  /** Event time of the newest event that counts, in milliseconds; null when none does. Of an expression: of what it uses, none. */
  eventTimeMs: number | null;
}

/** The features of one entity at an instant, by name in the order of the definition. Values of the request serve expressions. */
export function evaluateView(
  plan: ViewPlan,
  state: EntityState | undefined,
  atMs: number,
  request: Readonly<Record<string, JsonValue>> = {},
): Record<string, FeatureAnswer> {
  const answers = answersOf(plan, state, atMs, request);
  return Object.fromEntries(plan.names.map((name, place) => [name, answers[place]]));
}

/** As `evaluateView`, by the place of the name in the plan. */
export function answersOf(
  plan: ViewPlan,
  state: EntityState | undefined,
  atMs: number,
  request: Readonly<Record<string, JsonValue>> = {},
): FeatureAnswer[] {
  const windows = state?.at(atMs) ?? null;
  const answers = new Array<FeatureAnswer>(plan.names.length);
  for (const aggregate of plan.aggregates) answers[aggregate.place] = aggregateAnswer(plan, aggregate, windows, atMs);
  const known = (used: string): JsonValue | undefined => {
    const place = plan.places.get(used);
    const value = place === undefined ? undefined : answers[place]?.value;
    return value ?? (Object.hasOwn(request, used) ? request[used] : undefined);
  };
  for (const { place, expression } of plan.expressions) {
    const value = evaluate(expression, known);
    answers[place] = { value, status: value === null ? 'default' : 'present', eventTimeMs: null };
  }
  return answers;
}

function aggregateAnswer(plan: ViewPlan, aggregate: AggregatePlan, windows: WindowCells | null, atMs: number): FeatureAnswer {
  const { empty } = aggregate;
  if (windows === null || windows.empty) return { value: empty, status: 'not_found', eventTimeMs: null };
  const cells = windows.cells[aggregate.window];
  const first = cells[aggregate.slots[0]];
  const second = aggregate.kind === 'ratio' ? cells[aggregate.slots[1]] : null;
  if (first.count === 0 && (second === null || second.count === 0)) return { value: empty, status: 'default', eventTimeMs: null };
  const eventTimeMs = second === null || first.newestMs > second.newestMs ? first.newestMs : second.newestMs;
  if (plan.ttlMs !== null && atMs - eventTimeMs > plan.ttlMs) return { value: null, status: 'expired', eventTimeMs };
  if (second === null) return { value: first.fold.result(atMs), status: 'present', eventTimeMs };
  const { measures } = plan.windows[aggregate.window];
  const [numerator, denominator] = [first, second].map((cell, index) =>
    cell.count === 0 ? plan.measures[measures[aggregate.slots[index]]].empty : cell.fold.result(atMs),
  );
  return { value: quotient(numerator, denominator), status: 'present', eventTimeMs };
}

export function quotient(numerator: JsonValue, denominator: JsonValue): JsonValue {
  if (typeof numerator !== 'number' || typeof denominator !== 'number' || denominator === 0) return null;
  return numerator / denominator;
}
