import { fromUtf8, isJsonObject, type JsonObject, type JsonValue, TailwaterError } from '../base/index.ts';
import { planSearch } from '../retrieval/index.ts';
import { analyze, type Filter, matches, type StreamDefinition, type StreamRecord, searchText } from '../streams/index.ts';

/** What a standing query waits for. */
export interface MatchRequest {
  /** Every word of it must be in the stream's `search` fields. */
  text?: string;
  filter?: JsonObject;
}

/** A record on its way to standing queries: what they look at is computed once for all of them. */
export class Candidate {
  readonly record: StreamRecord;
  readonly #definition: StreamDefinition;
  #value: JsonValue | undefined;
  #terms: ReadonlySet<string> | undefined;

  constructor(definition: StreamDefinition, record: StreamRecord) {
    this.#definition = definition;
    this.record = record;
  }

  get value(): JsonValue {
    this.#value ??= this.record.value === null ? null : JSON.parse(fromUtf8(this.record.value));
    return this.#value!;
  }

  /** Of the text that `search` of the stream makes searchable. */
  get terms(): ReadonlySet<string> {
    this.#terms ??= new Set(analyze(searchText(this.#definition, this.value) ?? ''));
    return this.#terms;
  }
}

export type Matcher = (candidate: Candidate) => boolean;

const FIELDS = ['text', 'filter'];

/** Pure. Throws TW_BAD_REQUEST, TW_NOT_SEARCHABLE and TW_UNKNOWN_FIELD. A deletion matches nothing. */
export function matcherOf(definition: StreamDefinition, request: MatchRequest): Matcher {
  const unknown = isJsonObject(request) ? Object.keys(request).find(name => !FIELDS.includes(name)) : undefined;
  if (unknown !== undefined) {
    throw new TailwaterError('TW_BAD_REQUEST', {
      detail: `A standing query for matches has no member "${unknown.slice(0, 200)}"; it may have ${FIELDS.join(', ')}.`,
    });
  }
  const { text, filter } = request;
  const plan = planSearch(definition, {
    ...(filter !== undefined && { filter }),
    ...(text !== undefined ? { text, mode: 'text' } : { mode: 'filter' }),
  });
  const checkFilter: Filter | null = plan.filter;
  return candidate =>
    candidate.record.value !== null &&
    (checkFilter === null || matches(checkFilter, candidate.value)) &&
    plan.terms.every(term => candidate.terms.has(term));
}
