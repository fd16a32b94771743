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
  const windows = state?.at(atMs) ?? null;
  const answers = new Map<string, FeatureAnswer>();
  for (const aggregate of plan.aggregates) answers.set(aggregate.name, aggregateAnswer(plan, aggregate, windows, atMs));
  for (const { name, expression } of plan.expressions) {
    const value = evaluate(
      expression,
      used => answers.get(used)?.value ?? (Object.hasOwn(request, used) ? request[used] : undefined),
    );
    answers.set(name, { value, status: value === null ? 'default' : 'present', eventTimeMs: null });
  }
  return Object.fromEntries(plan.names.map(name => [name, answers.get(name)!]));
}

function aggregateAnswer(plan: ViewPlan, aggregate: AggregatePlan, windows: WindowCells | null, atMs: number): FeatureAnswer {
  const { empty } = aggregate;
  if (windows === null || windows.empty) return { value: empty, status: 'not_found', eventTimeMs: null };
  const cells = aggregate.slots.map(slot => windows.cells[aggregate.window][slot]);
  const counted = cells.filter(cell => cell.count > 0);
  if (counted.length === 0) return { value: empty, status: 'default', eventTimeMs: null };
  const eventTimeMs = Math.max(...counted.map(cell => cell.newestMs));
  if (plan.ttlMs !== null && atMs - eventTimeMs > plan.ttlMs) return { value: null, status: 'expired', eventTimeMs };
  const { measures } = plan.windows[aggregate.window];
  const results = cells.map((cell, index) =>
    cell.count === 0 ? plan.measures[measures[aggregate.slots[index]]].empty : cell.fold.result(atMs),
  );
  const value = aggregate.kind === 'ratio' ? quotient(results[0], results[1]) : results[0];
  return { value, status: 'present', eventTimeMs };
}

export function quotient(numerator: JsonValue, denominator: JsonValue): JsonValue {
  if (typeof numerator !== 'number' || typeof denominator !== 'number' || denominator === 0) return null;
  return numerator / denominator;
}
