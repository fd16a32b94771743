import { isJsonObject, type JsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';
import type { Consistency } from '../../snapshot/index.ts';
import { answersOf, type FeatureAnswer } from '../evaluate.ts';
import type { ViewPlan } from '../plan.ts';
import { entityOfRequest } from '../state/entity-key.ts';
import type { ViewState } from '../state/view-state.ts';
import type { FeatureDetail, OnlineAnswer, OnlineRequest } from './engine-types.ts';

const MAX_ENTITIES = 10_000;
const ISO_TIME = /^\d{4}-\d\d-\d\d(T.*)?$/;

/** Throws TW_BAD_REQUEST, before anything is waited for. */
export function checkOnlineRequest(plan: ViewPlan, { entities, request, features }: OnlineRequest): void {
  if (!Array.isArray(entities)) throw bad('entities must be a list');
  if (entities.length > MAX_ENTITIES) throw bad(`entities names ${entities.length}; at most ${MAX_ENTITIES} are allowed`);
  for (const entity of entities) entityOfRequest(plan.entity, entity);
  const unknown = features?.find(name => !plan.names.includes(name));
  if (unknown !== undefined)
    throw bad(`the view has no feature "${String(unknown).slice(0, 200)}"; it has ${plan.names.join(', ')}`);
  if (request === undefined) return;
  const each = Array.isArray(request) ? request : [request];
  if (!each.every(isJsonObject)) throw bad('request must be an object, or a list of one for each entity');
  if (Array.isArray(request) && request.length !== entities.length) {
    throw bad(`request has ${request.length} objects for ${entities.length} entities`);
  }
}

/** The instant that windows end at. Throws TW_BAD_REQUEST, and TW_HISTORY_EXPIRED when the state no longer answers for it. */
export function instantOf(view: string, asOf: string | undefined, nowMs: number, sinceMs: number): number {
  if (asOf === undefined) return nowMs;
  const atMs = typeof asOf === 'string' && ISO_TIME.test(asOf) ? Date.parse(asOf) : Number.NaN;
  if (Number.isNaN(atMs)) throw bad(`asOf is ${JSON.stringify(asOf)}; it must be an ISO 8601 time`);
  if (atMs < sinceMs) {
    throw new TailwaterError('TW_HISTORY_EXPIRED', {
      detail: `View "${view}" answers online from ${new Date(sinceMs).toISOString()} on; training rows have no such limit.`,
    });
  }
  return atMs;
}

/** An online answer is of now; an instant is asked for with `asOf` of the request. */
export function withoutAsOf(consistency: Consistency | undefined): Consistency | undefined {
  if (consistency?.asOf !== undefined) throw bad('an instant is named by asOf, not by consistency.asOf');
  return consistency;
}

export function onlineEntities(plan: ViewPlan, state: ViewState, atMs: number, asked: OnlineRequest): OnlineAnswer['entities'] {
  const names = asked.features ?? plan.names;
  const places = names.map(name => plan.places.get(name)!);
  const detailOf = detailsAt(atMs);
  // Copied from one that has all members, an object gets its shape at once instead of member by member.
  const noValues: Record<string, JsonValue> = Object.fromEntries(names.map(name => [name, null]));
  const noDetails: Record<string, FeatureDetail> = Object.fromEntries(names.map(name => [name, NO_DETAIL]));
  return asked.entities.map((entity, index) => {
    const request = Array.isArray(asked.request) ? asked.request[index] : asked.request;
    const answers = answersOf(plan, state.entity(entityOfRequest(plan.entity, entity)), atMs, request as JsonObject);
    const values = { ...noValues };
    const details = { ...noDetails };
    for (let at = 0; at < names.length; at++) {
      const answer = answers[places[at]];
      values[names[at]] = answer.value;
      details[names[at]] = detailOf(answer);
    }
    return { entity, values, details };
  });
}

const NO_DETAIL: FeatureDetail = { status: 'not_found', eventTime: null, ageMs: null };

/** Most values have the newest event of the value before: then they share what is said of it, which costs more to make than to remember. */
function detailsAt(atMs: number): (answer: FeatureAnswer) => FeatureDetail {
  let lastMs: number | null = null;
  let lastStatus: FeatureAnswer['status'] | null = null;
  let detail = NO_DETAIL;
  return ({ status, eventTimeMs }) => {
    if (status === lastStatus && eventTimeMs === lastMs) return detail;
    if (eventTimeMs === null) detail = { status, eventTime: null, ageMs: null };
    else {
      const eventTime = eventTimeMs === lastMs ? detail.eventTime : new Date(eventTimeMs).toISOString();
      detail = { status, eventTime, ageMs: atMs - eventTimeMs };
    }
    lastMs = eventTimeMs;
    lastStatus = status;
    return detail;
  };
}

function bad(problem: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail: `The request is not valid: ${problem}.` });
}
