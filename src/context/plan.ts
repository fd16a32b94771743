import { isJsonObject, type JsonObject, type JsonValue, TailwaterError, utf8 } from '../base/index.ts';
import type { ViewReading } from '../features/index.ts';
import { planSearch, type SearchPlan } from '../retrieval/index.ts';
import { DEFAULT_DEADLINE_MS } from '../snapshot/index.ts';
import type { StreamDefinition } from '../streams/index.ts';
import type { ContextRequest, DocumentsLeg, EventsLeg, FeaturesLeg, LegKind, RowsLeg } from './context-types.ts';

const MAX_LEGS = 32;
const MAX_KEYS = 100;
const MAX_TOKENS = 1_000_000;
const MAX_DEADLINE_MS = 600_000;
const MEMBERS = ['subject', 'query', 'include', 'filters', 'consistency', 'recency', 'budget', 'deadlineMs'];
const COMMON = ['required', 'weight'];
const LEG_MEMBERS: Record<LegKind, string[]> = {
  features: ['view', 'features', 'entity', ...COMMON],
  rows: ['stream', 'keys', ...COMMON],
  events: ['stream', 'subjectField', 'filter', 'select', 'limit', ...COMMON],
  documents: ['stream', 'mode', 'filter', 'select', 'limit', ...COMMON],
};

interface LegBase {
  /** Unique within the answer: `kind:stream`, numbered when there are several. */
  name: string;
  definition: StreamDefinition;
  required: boolean;
  weight: number;
}

export type PlannedLeg = LegBase &
  (
    | { kind: 'events' | 'documents'; search: SearchPlan }
    | { kind: 'rows'; keys: string[]; keyBytes: Uint8Array[] }
    | { kind: 'features'; reading: ViewReading }
  );

/** What a call will do, decided before anything is read: the legs in the order of the text. */
export interface ContextPlan {
  legs: PlannedLeg[];
  subject: string | null;
  query: string | null;
  recency: { halfLifeMs: number; weight: number } | null;
  budgetTokens: number;
  deadlineMs: number;
}

/** What planning looks up, without reading: both throw when there is none. */
export interface ContextSources {
  stream(name: string): StreamDefinition;
  view(name: string, entity: JsonValue, features: string[] | undefined): ViewReading;
}

/** Throws TW_BAD_REQUEST, TW_STREAM_NOT_FOUND, TW_VIEW_NOT_FOUND, TW_NOT_UPSERT and what planning a search throws. */
export function planContext(request: ContextRequest, sources: ContextSources): ContextPlan {
  members('A context request', request, MEMBERS);
  members('`include`', request.include, Object.keys(LEG_MEMBERS));
  members('`budget`', request.budget, ['tokens']);
  const { subject, query, recency } = request;
  const isSubject = subject === undefined || typeof subject === 'string' || Number.isFinite(subject) || isJsonObject(subject);
  if (!isSubject) throw bad('`subject` must be a text, a number or an object');
  if (query !== undefined && typeof query !== 'string') throw bad('`query` must be a text');
  const legs = [
    ...listOf<FeaturesLeg>(request, 'features').map(leg => featuresLeg(leg, request, sources)),
    ...listOf<RowsLeg>(request, 'rows').map(leg => rowsLeg(leg, request, sources)),
    ...listOf<EventsLeg>(request, 'events').map(leg => eventsLeg(leg, request, sources)),
    ...listOf<DocumentsLeg>(request, 'documents').map(leg => documentsLeg(leg, request, sources)),
  ];
  if (legs.length === 0) throw bad('`include` names nothing; it may have features, rows, events and documents');
  if (legs.length > MAX_LEGS) throw bad(`\`include\` has ${legs.length} legs; at most ${MAX_LEGS} are allowed`);
  checkFilters(request, legs);
  return {
    legs: named(legs),
    subject: subject === undefined ? null : typeof subject === 'object' ? JSON.stringify(subject) : String(subject),
    query: query ?? null,
    recency: planRecency(recency),
    budgetTokens: number('budget.tokens', request.budget.tokens, 1, MAX_TOKENS),
    deadlineMs: number('deadlineMs', request.deadlineMs ?? DEFAULT_DEADLINE_MS, 1, MAX_DEADLINE_MS),
  };
}

function listOf<T extends object>({ include }: ContextRequest, kind: LegKind): T[] {
  const given = include[kind] as T | readonly T[] | undefined;
  const legs = given === undefined ? [] : ([given].flat() as T[]);
  for (const leg of legs) members(`A leg of \`include.${kind}\``, leg, LEG_MEMBERS[kind]);
  return legs;
}

function featuresLeg(leg: FeaturesLeg, { subject }: ContextRequest, sources: ContextSources): PlannedLeg {
  const entity = leg.entity ?? subject;
  if (entity === undefined) throw bad(`The features of "${text('view', leg.view)}" need \`subject\` or \`entity\``);
  const reading = sources.view(text('view', leg.view), entity, leg.features);
  return { ...common(leg, reading.live.source, `features:${leg.view}`), kind: 'features', reading };
}

function rowsLeg(leg: RowsLeg, { subject }: ContextRequest, sources: ContextSources): PlannedLeg {
  const definition = sources.stream(text('stream', leg.stream));
  if (definition.kind !== 'upsert') {
    throw new TailwaterError('TW_NOT_UPSERT', {
      detail: `Stream "${definition.name}" is of kind "append": it has no rows by key.`,
    });
  }
  const keys = leg.keys ?? (subject === undefined || typeof subject === 'object' ? [] : [String(subject)]);
  const isValid = Array.isArray(keys) && keys.every(key => typeof key === 'string') && keys.length > 0;
  if (!isValid || keys.length > MAX_KEYS) {
    throw bad(`The rows of "${definition.name}" need \`keys\`, 1 to ${MAX_KEYS} texts, or a \`subject\` that is one`);
  }
  return { ...common(leg, definition, `rows:${leg.stream}`), kind: 'rows', keys, keyBytes: keys.map(key => utf8(key)) };
}

function eventsLeg(leg: EventsLeg, request: ContextRequest, sources: ContextSources): PlannedLeg {
  const definition = sources.stream(text('stream', leg.stream));
  const { subject } = request;
  const own: JsonObject[] = [];
  if (leg.subjectField !== undefined) {
    if (subject === undefined || typeof subject === 'object')
      throw bad('`subjectField` needs a `subject` that is a text or a number');
    own.push({ [text('subjectField', leg.subjectField)]: { $eq: subject } });
  }
  const search = planSearch(definition, { mode: 'filter', limit: leg.limit ?? 20, ...narrowed(leg, request, own) });
  return { ...common(leg, definition, `events:${leg.stream}`), kind: 'events', search };
}

function documentsLeg(leg: DocumentsLeg, request: ContextRequest, sources: ContextSources): PlannedLeg {
  const definition = sources.stream(text('stream', leg.stream));
  if (request.query === undefined) throw bad(`The documents of "${definition.name}" need \`query\``);
  if ((leg.mode as string) === 'filter') throw bad('Documents are searched by text, vector or hybrid; events are the newest');
  const search = planSearch(definition, {
    text: request.query,
    limit: leg.limit ?? 10,
    ...(leg.mode === undefined ? {} : { mode: leg.mode }),
    ...(request.recency === undefined ? {} : { recency: request.recency }),
    ...narrowed(leg, request, []),
  });
  return { ...common(leg, definition, `documents:${leg.stream}`), kind: 'documents', search };
}

function narrowed(
  leg: EventsLeg | DocumentsLeg,
  { filters }: ContextRequest,
  own: JsonObject[],
): { filter?: JsonObject; select?: string[] } {
  const more = filters !== undefined && Object.hasOwn(filters, leg.stream) ? filters[leg.stream] : undefined;
  const all = [...own, ...[leg.filter, more].filter(filter => filter !== undefined)];
  return {
    ...(all.length === 0 ? {} : { filter: all.length === 1 ? all[0] : { $and: all } }),
    ...(leg.select === undefined ? {} : { select: leg.select }),
  };
}

function checkFilters({ filters }: ContextRequest, legs: readonly PlannedLeg[]): void {
  if (filters === undefined) return;
  if (!isJsonObject(filters)) throw bad('`filters` must be an object of filters by stream');
  const streams = legs.filter(({ kind }) => kind === 'events' || kind === 'documents').map(({ definition }) => definition.name);
  const unused = Object.keys(filters).find(name => !streams.includes(name));
  if (unused !== undefined)
    throw bad(`\`filters\` names "${unused.slice(0, 200)}", which no events or documents are included of`);
}

function common(leg: { required?: boolean; weight?: number }, definition: StreamDefinition, name: string): LegBase {
  if (leg.required !== undefined && typeof leg.required !== 'boolean') throw bad('`required` must be true or false');
  const weight = leg.weight ?? 1;
  if (typeof weight !== 'number' || !(weight > 0) || weight > 1000) throw bad('`weight` must be a number above 0, at most 1,000');
  return { name, definition, required: leg.required ?? false, weight };
}

/** Names are given to the caller, so two legs never share one. */
function named(legs: readonly PlannedLeg[]): PlannedLeg[] {
  const seen = new Map<string, number>();
  return legs.map(leg => {
    const count = (seen.get(leg.name) ?? 0) + 1;
    seen.set(leg.name, count);
    return count === 1 ? leg : { ...leg, name: `${leg.name}#${count}` };
  });
}

function planRecency(recency: ContextRequest['recency']): ContextPlan['recency'] {
  if (recency === undefined) return null;
  members('`recency`', recency, ['halfLifeMs', 'weight']);
  if (typeof recency.halfLifeMs !== 'number' || !(recency.halfLifeMs > 0))
    throw bad('`recency.halfLifeMs` must be a number above 0');
  return { halfLifeMs: recency.halfLifeMs, weight: number('recency.weight', recency.weight ?? 0.5, 0, 1, false) };
}

function members(what: string, value: unknown, allowed: readonly string[]): void {
  if (!isJsonObject(value)) throw bad(`${what} must be an object`);
  const unknown = Object.keys(value).find(name => !allowed.includes(name));
  if (unknown !== undefined) throw bad(`${what} has no member "${unknown.slice(0, 200)}"; it may have ${allowed.join(', ')}`);
}

function number(name: string, value: unknown, lowest: number, highest: number, whole = true): number {
  const fits = typeof value === 'number' && value >= lowest && value <= highest && (!whole || Number.isInteger(value));
  if (fits) return value;
  throw bad(`\`${name}\` must be ${whole ? 'a whole number' : 'a number'} from ${lowest} to ${highest}`);
}

function text(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw bad(`\`${name}\` must be a text`);
}

function bad(problem: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail: `${problem}.` });
}
