import type { JsonObject, JsonValue } from '../../src/base/index.ts';
import {
  evaluateView,
  type FeatureDefinition,
  type FeatureViewDefinition,
  parseDefinition,
  planView,
  ViewState,
} from '../../src/features/index.ts';

export function viewOf(
  features: Record<string, FeatureDefinition>,
  more: Partial<FeatureViewDefinition> = {},
): FeatureViewDefinition {
  return parseDefinition(JSON.parse(JSON.stringify({ source: 'events', entity: 'e', features, ...more })));
}

export type TimedValue = [timeMs: number, value: JsonObject];

/** The state after events of one entity, in the order given, nothing forgotten. */
export function stateOf(definition: FeatureViewDefinition, events: readonly TimedValue[]): ViewState {
  const state = new ViewState(planView(definition), { keepsAll: true });
  events.forEach(([timeMs, value], index) => {
    state.apply({ seq: index + 1, key: null, timeMs, ingestedAtMs: timeMs, value: { e: 'x', ...value } });
  });
  return state;
}

/** The values of entity x at an instant. */
export function valuesAt(state: ViewState, atMs: number, request?: JsonObject): Record<string, JsonValue> {
  const answers = evaluateView(state.plan, state.entity('x'), atMs, request);
  return Object.fromEntries(Object.entries(answers).map(([name, { value }]) => [name, value]));
}
