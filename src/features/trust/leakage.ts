import { isDeepStrictEqual } from 'node:util';
import { type JsonObject, type JsonValue, valueAt } from '../../base/index.ts';
import type { FeatureViewDefinition, MeasureDefinition } from '../definition/types.ts';
import type { Window } from '../definition/windows.ts';
import type { HistoricalAnswer, HistoricalRequest, PinnedView } from '../engine/engine-types.ts';
import type { FeatureEngine } from '../engine/feature-engine.ts';
import { expressionNames } from '../expression/names.ts';
import { parseExpression } from '../expression/parse.ts';
import { spineOf } from '../historical/spine.ts';
import { inputsOf, planView, type ViewPlan } from '../plan.ts';
import { entityOfValue } from '../state/entity-key.ts';
import { pinnedViews } from './datasets.ts';

export type LeakageCode = 'label_event_in_window' | 'ingested_after_label' | 'target_among_inputs';

/** A way in which a feature may know what it is to predict. */
export interface LeakageWarning {
  code: LeakageCode;
  view: string;
  feature: string;
  /** How many rows; null: of the definition, all. */
  rows: number | null;
  /** Indexes of the first of them, at most 5. */
  examples: number[];
  problem: string;
  advice: string;
}

const MAX_EXAMPLES = 5;
/** Fewer rows equal the label by chance. */
const MIN_EQUAL_ROWS = 20;

const TEXTS: Record<LeakageCode, { problem: string; advice: string }> = {
  label_event_in_window: {
    problem:
      'The window ends with the very time of the row and has an event of that time: perhaps the one the label was taken from.',
    advice: 'Give the sliding window the bounds "[)", or set the time of the rows to 1 ms before the event of the label.',
  },
  ingested_after_label: {
    problem:
      'The value counts events that were ingested after the time of the row; an online answer at that time did not know them.',
    advice: 'Make the rows with asSeen (--as-seen), or set their time to when the value would have been asked for.',
  },
  target_among_inputs: {
    problem: 'The feature is computed from the label, or equals it in every row.',
    advice: 'Leave this feature out, or compute it from events before the one that decides the label.',
  },
};

/** Training rows with what would give their label away. Reads the streams twice, up to one position: that of `pinned`, or now. */
export async function historicalWithWarnings(
  engine: FeatureEngine,
  request: HistoricalRequest,
  pinned?: readonly PinnedView[],
): Promise<HistoricalAnswer & { warnings: LeakageWarning[] }> {
  const definitions = pinned ?? request.views.map(view => ({ view, definition: engine.get(view).definition }));
  const watches = new Map(definitions.map(({ view, definition }) => [view, new LabelEvents(planView(definition), request)]));
  const answer = await engine.historical(request, {
    ...(pinned && { pinned }),
    observe: (view, event) => watches.get(view)!.see(event.timeMs, event.value),
  });
  const warnings = definitions.flatMap(({ view, definition }) => [
    ...[...watches.get(view)!.found].map(([feature, rows]) => warning('label_event_in_window', view, feature, rows)),
    ...targetWarnings(view, definition, request, answer),
  ]);
  if (request.asSeen !== true) {
    warnings.push(...(await lateWarnings(engine, request, answer, pinned ?? pinnedViews(engine, answer.views))));
  }
  return { ...answer, warnings };
}

/** Finds events with the time of a row, in features whose windows end with that time. */
class LabelEvents {
  readonly found = new Map<string, number[]>();
  readonly #plan: ViewPlan;
  readonly #rows: Map<string, number[]>;
  readonly #features: { name: string; inputs: number[] }[];

  constructor(plan: ViewPlan, request: HistoricalRequest) {
    this.#plan = plan;
    this.#rows = new Map();
    for (const { entity, timeMs, index } of spineOf(plan.entity, request.time ?? 'time', request.rows)) {
      const key = `${timeMs} ${entity}`;
      const known = this.#rows.get(key);
      if (known === undefined) this.#rows.set(key, [index]);
      else known.push(index);
    }
    this.#features = plan.aggregates
      .filter(({ window }) => endsWithInstant(plan.windows[window].window))
      .map(({ name, window, slots }) => ({
        name,
        inputs: slots.map(slot => plan.measures[plan.windows[window].measures[slot]].input),
      }));
  }

  see(timeMs: number, value: JsonValue): void {
    const entity = value === null ? null : entityOfValue(this.#plan.entity, value);
    const rows = entity === null ? undefined : this.#rows.get(`${timeMs} ${entity}`);
    if (rows === undefined) return;
    const inputs = inputsOf(this.#plan, value);
    for (const { name, inputs: own } of this.#features) {
      if (own.every(input => inputs[input] === null)) continue;
      this.found.set(name, [...new Set([...(this.found.get(name) ?? []), ...rows])]);
    }
  }
}

function endsWithInstant(window: Window): boolean {
  if (window.kind === 'sliding') return window.bounds !== '[)';
  return !(window.kind === 'tumbling' && window.complete);
}

/** Values that would be others if each row knew only what had been ingested by its time. */
async function lateWarnings(
  engine: FeatureEngine,
  request: HistoricalRequest,
  answer: HistoricalAnswer,
  pinned: readonly PinnedView[],
): Promise<LeakageWarning[]> {
  const seen = await engine.historical({ ...request, asSeen: true }, { pinned });
  return columnsOf(engine, request).flatMap(({ view, feature, column }) => {
    const rows = [...answer.rows.keys()].filter(
      index => !isDeepStrictEqual(answer.rows[index][column], seen.rows[index][column]),
    );
    return rows.length === 0 ? [] : [warning('ingested_after_label', view, feature, rows)];
  });
}

function targetWarnings(
  view: string,
  { features }: FeatureViewDefinition,
  { label, rows, views }: HistoricalRequest,
  answer: HistoricalAnswer,
): LeakageWarning[] {
  if (label === undefined) return [];
  const labels = rows.map(row => valueAt(row, label));
  const telling = labels.length >= MIN_EQUAL_ROWS && new Set(labels.map(value => JSON.stringify(value))).size > 1;
  return Object.entries(features).flatMap(([feature, definition]) => {
    if (fieldsOf(definition).includes(label)) return [warning('target_among_inputs', view, feature, null)];
    const column = views.length === 1 ? feature : `${view}.${feature}`;
    const equal = telling && answer.rows.every((row, index) => isDeepStrictEqual(row[column], labels[index]));
    return equal ? [warning('target_among_inputs', view, feature, [...rows.keys()])] : [];
  });
}

function fieldsOf(feature: FeatureViewDefinition['features'][string]): string[] {
  if ('expression' in feature) return expressionNames(parseExpression(feature.expression, 'expression'));
  const measures: MeasureDefinition[] = feature.aggregate === 'ratio' ? [feature.numerator, feature.denominator] : [feature];
  return measures.flatMap(({ field, where }) => [...(field === undefined ? [] : [field]), ...filterFields(where)]);
}

/** Members of a filter, and of those that it combines. */
function filterFields(where: JsonValue | undefined): string[] {
  if (Array.isArray(where)) return where.flatMap(filterFields);
  if (typeof where !== 'object' || where === null) return [];
  return Object.entries(where as JsonObject).flatMap(([name, inner]) => [name, ...filterFields(inner)]);
}

function columnsOf(engine: FeatureEngine, { views }: HistoricalRequest): { view: string; feature: string; column: string }[] {
  return views.flatMap(view =>
    Object.keys(engine.get(view).definition.features).map(feature => ({
      view,
      feature,
      column: views.length === 1 ? feature : `${view}.${feature}`,
    })),
  );
}

function warning(code: LeakageCode, view: string, feature: string, rows: readonly number[] | null): LeakageWarning {
  const examples = rows?.toSorted((a, b) => a - b).slice(0, MAX_EXAMPLES) ?? [];
  return { code, view, feature, rows: rows?.length ?? null, examples, ...TEXTS[code] };
}
