import { type JsonObject, type JsonValue, TailwaterError } from '../base/index.ts';
import type { Feature, Features, FeatureValues, FeatureView } from './definition/dsl.ts';
import { FEATURE_NAME } from './definition/parse.ts';
import { invalid } from './definition/problems.ts';
import type { HistoricalAnswer, HistoricalRequest, OnlineAnswer, OnlineRequest } from './engine/engine-types.ts';
import { expressionNames } from './expression/names.ts';
import { parseExpression } from './expression/parse.ts';
import { requireFree } from './historical/spine.ts';

/** What reads of a view with functions do; whoever has the view, such as the HTTP client, needs no code of this package for it. */
export interface OnDemandReader {
  /** In the order in which they are computed. */
  functions: readonly { name: string; compute: unknown }[];
  /** `read` answers for what is stored. */
  online(request: OnlineRequest, read: (request: OnlineRequest) => Promise<OnlineAnswer>): Promise<OnlineAnswer>;
  /** Of all views of the request. */
  historical(
    request: TrainingRequest,
    read: (request: HistoricalRequest) => Promise<HistoricalAnswer>,
  ): Promise<HistoricalAnswer>;
}

/** As over HTTP, where views may also be ones from `featureView` and `onDemand`. */
export type TrainingRequest = Omit<HistoricalRequest, 'views'> & { views: readonly (string | FeatureView)[] };

/** Pure: of the values of one entity at one instant, and of the request's values (online) or the row's other members (training). */
type FunctionsOf<F extends Features> = Record<
  string,
  (values: FeatureValues<FeatureView<F>>, request: Readonly<JsonObject>) => JsonValue | undefined
>;

/** The features of functions, by name. Undefined, and numbers that are none, are null. */
export type ComputedFeatures<D> = {
  [Name in keyof D]: Feature<D[Name] extends (...given: never) => infer Value ? Exclude<Value, undefined> | null : never>;
};

/**
 * Adds features that are functions of the view's other features and of request values. They run where the view is read, online and for training rows, by
 * the same code; the store knows nothing of them. Functions of a later call see those of an earlier one, so that no circle can be written.
 * Throws TW_VIEW_DEFINITION for a name that is taken, no name, or used by an expression of the view.
 */
export function onDemand<F extends Features, const D extends FunctionsOf<F>>(
  view: FeatureView<F>,
  functions: D,
): FeatureView<F & ComputedFeatures<D>> {
  const { features } = view.definition;
  const used = new Map<string, string>();
  for (const [name, feature] of Object.entries(features)) {
    if (!('expression' in feature)) continue;
    for (const other of expressionNames(parseExpression(feature.expression, `features.${name}.expression`)))
      used.set(other, name);
  }
  for (const [name, compute] of Object.entries(functions)) {
    const at = `onDemand.${name.slice(0, 120)}`;
    if (!FEATURE_NAME.test(name) || name === '__proto__') throw invalid(at, 'is no name of a feature');
    if (typeof compute !== 'function') throw invalid(at, 'must be a function');
    if (Object.hasOwn(features, name) || view.onDemand?.functions.some(known => known.name === name)) {
      throw invalid(at, 'is the name of another feature of the view');
    }
    const expression = used.get(name);
    if (expression !== undefined) {
      throw invalid(
        at,
        `is used by features.${expression}, which it may use itself: write "${expression}" as a function of a later call`,
      );
    }
  }
  const layer = Object.entries(functions).map(([name, compute]) => ({ name, compute }));
  const extended: FeatureView = { name: view.name, definition: view.definition };
  const reader: OnDemandReader = {
    functions: [...(view.onDemand?.functions ?? []), ...layer],
    online: (request, read) => onlineWithFunctions({ ...extended, onDemand: reader }, request, read),
    historical: historicalWithFunctions,
  };
  return { ...extended, onDemand: reader } as FeatureView<F & ComputedFeatures<D>>;
}

type ComputingView = FeatureView & { onDemand: OnDemandReader };

async function onlineWithFunctions(
  view: ComputingView,
  request: OnlineRequest,
  read: (request: OnlineRequest) => Promise<OnlineAnswer>,
): Promise<OnlineAnswer> {
  const { functions } = view.onDemand;
  const { features: asked, ...rest } = request;
  const own = new Set(functions.map(({ name }) => name));
  // Functions may use any feature; names that are neither are the engine's to refuse.
  const unknown = asked?.filter(name => !own.has(name) && !Object.hasOwn(view.definition.features, name)) ?? [];
  const answer = await read(unknown.length > 0 ? { ...rest, features: unknown } : rest);
  const names = asked ?? [...Object.keys(view.definition.features), ...own];
  const entities = answer.entities.map(({ entity, values, details }, index) => {
    const given = Array.isArray(request.request) ? request.request[index] : request.request;
    const all = computed(view, values, (given as JsonObject | undefined) ?? {});
    const detail = (name: string) =>
      details[name] ?? ({ status: all[name] === null ? 'default' : 'present', eventTime: null, ageMs: null } as const);
    return {
      entity,
      values: Object.fromEntries(names.map(name => [name, all[name]])),
      details: Object.fromEntries(names.map(name => [name, detail(name)])),
    };
  });
  return { ...answer, entities };
}

async function historicalWithFunctions(
  { views, ...request }: TrainingRequest,
  read: (request: HistoricalRequest) => Promise<HistoricalAnswer>,
): Promise<HistoricalAnswer> {
  const prefixOf = (view: FeatureView): string => (views.length === 1 ? '' : `${view.name}.`);
  const computing = views.filter(view => typeof view !== 'string' && view.onDemand !== undefined) as ComputingView[];
  requireFree(
    computing.flatMap(view => view.onDemand.functions.map(({ name }) => `${prefixOf(view)}${name}`)),
    request.rows,
  );
  const answer = await read({ ...request, views: views.map(view => (typeof view === 'string' ? view : view.name)) });
  for (const view of computing) {
    const prefix = prefixOf(view);
    const stored = Object.keys(view.definition.features);
    for (const [index, row] of answer.rows.entries()) {
      const values = Object.fromEntries(stored.map(name => [name, row[`${prefix}${name}`]]));
      const all = computed(view, values, request.rows[index]);
      for (const { name } of view.onDemand.functions) row[`${prefix}${name}`] = all[name];
    }
  }
  return answer;
}

/** All values, those of functions last. Throws TW_VIEW_DEFINITION naming a function that threw. */
function computed(view: ComputingView, stored: JsonObject, request: Readonly<JsonObject>): JsonObject {
  const values = { ...stored };
  for (const { name, compute } of view.onDemand.functions) {
    const call = compute as (values: JsonObject, request: Readonly<JsonObject>) => JsonValue | undefined;
    try {
      values[name] = jsonOf(call(values, request));
    } catch (error) {
      const detail = `onDemand.${name} of view "${view.name}" threw ${String(error).slice(0, 300)}`;
      throw new TailwaterError('TW_VIEW_DEFINITION', { detail, cause: error });
    }
  }
  return values;
}

function jsonOf(value: JsonValue | undefined): JsonValue {
  return value === undefined || (typeof value === 'number' && !Number.isFinite(value)) ? null : value;
}
