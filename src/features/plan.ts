import type { JsonValue } from '../base/index.ts';
import { valueAt } from '../base/index.ts';
import { type Filter, matches, parseFilter } from '../streams/index.ts';
import { createAggregation } from './aggregate/create.ts';
import type { Aggregation, Input } from './aggregate/fold.ts';
import { canonicalMeasure, historyMsOf, versionOf } from './definition/canonical.ts';
import { parseWindowMs } from './definition/duration.ts';
import { AGGREGATE_RULES } from './definition/measures.ts';
import { orderOfExpressions } from './definition/parse.ts';
import type { AggregateDefinition, FeatureViewDefinition, MeasureDefinition, RatioDefinition } from './definition/types.ts';
import { reachMs, type Window, windowOf } from './definition/windows.ts';
import { parseExpression } from './expression/parse.ts';
import type { Expression } from './expression/tree.ts';

/** An aggregation that some features share, and where its input is in a row. */
export interface MeasurePlan {
  aggregation: Aggregation;
  input: number;
  /** Its value over no event. */
  empty: 0 | null;
}

interface InputPlan {
  /** Null: the event itself. */
  field: string | null;
  filter: Filter | null;
  inputOf: Aggregation['inputOf'];
}

/** Every aggregation over one window. */
export interface WindowPlan {
  window: Window;
  /** Indices into `measures`. */
  measures: number[];
}

/** Where the value of an aggregate feature comes from: measures of a window by their place in it. */
export interface AggregatePlan {
  kind: 'aggregate' | 'ratio';
  name: string;
  /** Of the name in the plan's names. */
  place: number;
  window: number;
  slots: number[];
  empty: JsonValue;
}

export interface ExpressionPlan {
  kind: 'expression';
  name: string;
  /** Of the name in the plan's names. */
  place: number;
  expression: Expression;
}

/** A definition taken apart into what state is kept and what is computed of it. Pure data and functions. */
export interface ViewPlan {
  version: string;
  source: string;
  entity: readonly string[];
  inputs: readonly InputPlan[];
  measures: readonly MeasurePlan[];
  windows: readonly WindowPlan[];
  aggregates: readonly AggregatePlan[];
  /** In an order in which each finds what it uses computed. */
  expressions: readonly ExpressionPlan[];
  /** Feature names in the order of the definition. */
  names: readonly string[];
  places: ReadonlyMap<string, number>;
  ttlMs: number | null;
  historyMs: number;
  /** How far back the longest window that time bounds reaches. */
  reachMs: number;
  /** The longest window that is bounded by a number of rows; 0: none. */
  rows: number;
  /** Measures of lifetime windows. */
  lifetime: readonly number[];
}

/** Of a checked definition. */
export function planView(definition: FeatureViewDefinition): ViewPlan {
  const builder = new PlanBuilder();
  for (const [place, [name, feature]] of Object.entries(definition.features).entries()) {
    if (!('expression' in feature)) builder.add(name, place, feature);
  }
  const { features, entity, ttl } = definition;
  const windows = builder.windows;
  const names = Object.keys(features);
  return {
    version: versionOf(definition),
    source: definition.source,
    entity: Array.isArray(entity) ? entity : [entity],
    inputs: builder.inputs,
    measures: builder.measures,
    windows,
    aggregates: builder.aggregates,
    expressions: orderOfExpressions(features).map(name => expressionPlan(name, names.indexOf(name), features)),
    names,
    places: new Map(names.map((name, place) => [name, place])),
    ttlMs: ttl === undefined ? null : parseWindowMs(ttl),
    historyMs: historyMsOf(definition),
    reachMs: Math.max(0, ...windows.map(({ window }) => reachMs(window))),
    rows: Math.max(0, ...windows.map(({ window }) => (window.kind === 'rows' ? window.count : 0))),
    lifetime: windows.find(({ window }) => window.kind === 'lifetime')?.measures ?? [],
  };
}

function expressionPlan(name: string, place: number, features: FeatureViewDefinition['features']): ExpressionPlan {
  const feature = features[name] as { expression: string };
  return { kind: 'expression', name, place, expression: parseExpression(feature.expression, `features.${name}.expression`) };
}

class PlanBuilder {
  readonly inputs: InputPlan[] = [];
  readonly measures: MeasurePlan[] = [];
  readonly windows: WindowPlan[] = [];
  readonly aggregates: AggregatePlan[] = [];
  readonly #known = new Map<string, number>();
  readonly #inputKinds = new Map<Aggregation['inputOf'], number>();

  add(name: string, place: number, feature: AggregateDefinition | RatioDefinition): void {
    const window = this.#window(windowOf(feature.window));
    if (feature.aggregate === 'ratio') {
      const slots = [this.#slot(window, feature.numerator), this.#slot(window, feature.denominator)];
      this.aggregates.push({ kind: 'ratio', name, place, window, slots, empty: feature.default ?? null });
      return;
    }
    const empty = feature.default ?? AGGREGATE_RULES[feature.aggregate].empty;
    this.aggregates.push({ kind: 'aggregate', name, place, window, slots: [this.#slot(window, feature)], empty });
  }

  #window(window: Window): number {
    return this.#index('window', window, this.windows, () => ({ window, measures: [] }));
  }

  #slot(window: number, definition: MeasureDefinition): number {
    const { measures } = this.windows[window];
    const measure = this.#index('measure', canonicalMeasure(definition), this.measures, () => this.#measure(definition));
    const slot = measures.indexOf(measure);
    return slot >= 0 ? slot : measures.push(measure) - 1;
  }

  #measure(definition: MeasureDefinition): MeasurePlan {
    const aggregation = createAggregation(definition);
    const { inputOf } = aggregation;
    const kind = this.#inputKinds.get(inputOf) ?? this.#inputKinds.size;
    this.#inputKinds.set(inputOf, kind);
    const { field = null, where = null } = definition;
    const input = this.#index('input', [field, where, kind], this.inputs, () => ({
      field,
      filter: where === null ? null : parseFilter(where),
      inputOf,
    }));
    return { aggregation, input, empty: AGGREGATE_RULES[definition.aggregate].empty };
  }

  /** The place of what is described by `key` in a list, appended when it is not there. */
  #index<T>(what: string, key: unknown, list: T[], create: () => T): number {
    const text = `${what} ${JSON.stringify(key)}`;
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    list.push(create());
    this.#known.set(text, list.length - 1);
    return list.length - 1;
  }
}

/** What a row keeps of an event's value: the input of each measure, null where the event does not count. */
export function inputsOf(plan: ViewPlan, value: JsonValue): (Input | null)[] {
  return plan.inputs.map(input => inputOf(input, value));
}

export function inputOf({ field, filter, inputOf: own }: InputPlan, value: JsonValue): Input | null {
  if (filter !== null && !matches(filter, value)) return null;
  return own(field === null ? true : valueAt(value, field));
}
