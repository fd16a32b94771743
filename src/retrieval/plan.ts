import { type ErrorCode, isJsonObject, type JsonObject, type JsonValue, TailwaterError } from '../base/index.ts';
import { analyze, type Filter, filterPaths, parseFilter, type StreamDefinition } from '../streams/index.ts';
import type { QueryRequest, SearchMode } from './query-types.ts';

export const MAX_LIMIT = 1000;
/** Every leg ranks at least this many rows before fusion, however few the request wants. */
const MIN_LEG_DEPTH = 40;
const MAX_TEXT_CHARS = 32_768;
const MAX_TERMS = 256;

/** What a search will do: decided from the request and the definition alone, before anything is read. */
export interface SearchPlan {
  mode: SearchMode;
  /** The query as the user wrote it; null without a text leg. */
  text: string | null;
  /** The analyzed query; a repeated term counts as often as it stands there. */
  terms: string[];
  /** The given vector, unit length; null when the text is to be embedded or there is no vector leg. */
  vector: Float32Array | null;
  /** The text to embed for the vector leg. */
  embedText: string | null;
  filter: Filter | null;
  select: string[] | null;
  limit: number;
  /** How many rows each leg ranks. */
  legDepth: number;
  recency: { halfLifeMs: number; weight: number } | null;
  weights: { text: number; vector: number };
}

const NEEDS_VECTOR = 'The vectors of this stream are given by its writers: give `vector` with the query too.';

const FIELDS = ['text', 'vector', 'mode', 'filter', 'limit', 'select', 'consistency', 'recency', 'weights', 'deadlineMs'];

/** Pure. Throws TW_BAD_REQUEST, TW_NOT_SEARCHABLE, TW_VECTOR_LENGTH or TW_UNKNOWN_FIELD. */
export function planSearch(definition: StreamDefinition, request: QueryRequest): SearchPlan {
  if (typeof request !== 'object' || request === null) throw bad('A query is a JSON object.');
  const unknown = Object.keys(request).find(name => !FIELDS.includes(name));
  if (unknown !== undefined) throw bad(`A query has no member "${unknown}"; it may have ${FIELDS.join(', ')}.`);
  const text = planText(request.text);
  const vector = planVector(definition, request.vector);
  const mode = planMode(definition, request.mode, text, vector);
  const limit = integer('limit', request.limit ?? 10, 1, MAX_LIMIT);
  const filter = request.filter === undefined ? null : parseFilter(request.filter);
  if (filter !== null) checkPaths(definition, filterPaths(filter), 'filter');
  const wantsText = mode === 'text' || mode === 'hybrid';
  const wantsVector = mode === 'vector' || mode === 'hybrid';
  return {
    mode,
    text: wantsText ? text : null,
    terms: wantsText ? analyze(text!).slice(0, MAX_TERMS) : [],
    vector: wantsVector ? vector : null,
    embedText: wantsVector && vector === null ? text : null,
    filter,
    select: planSelect(definition, request.select),
    limit,
    legDepth: Math.max(MIN_LEG_DEPTH, 2 * limit),
    recency: planRecency(request.recency),
    weights: { text: weight('weights.text', request.weights?.text), vector: weight('weights.vector', request.weights?.vector) },
  };
}

function planText(text: unknown): string | null {
  if (text === undefined) return null;
  if (typeof text !== 'string') throw bad('`text` must be a text.');
  if (text.length > MAX_TEXT_CHARS) throw bad(`\`text\` is longer than ${MAX_TEXT_CHARS} characters.`);
  return text;
}

function planVector(definition: StreamDefinition, vector: unknown): Float32Array | null {
  if (vector === undefined) return null;
  if (!Array.isArray(vector) || !vector.every(Number.isFinite)) throw bad('`vector` must be an array of finite numbers.');
  if (!definition.embed) throw notSearchable(definition, 'vector search', 'embed');
  const { dimensions } = definition.embed;
  if (vector.length !== dimensions) {
    throw new TailwaterError('TW_VECTOR_LENGTH', {
      detail: `The vector has ${vector.length} dimensions; stream "${definition.name}" has ${dimensions}.`,
      data: { expected: dimensions, actual: vector.length },
    });
  }
  return unit(Float32Array.from(vector));
}

function planMode(definition: StreamDefinition, mode: unknown, text: string | null, vector: Float32Array | null): SearchMode {
  const canText = text !== null && definition.search !== null;
  const embedsTexts = definition.embed !== null && definition.embed.provider !== 'given';
  const canVector = vector !== null || (embedsTexts && text !== null);
  switch (mode) {
    case undefined:
      if (canText && canVector) return 'hybrid';
      if (canText) return 'text';
      if (canVector) return 'vector';
      if (text !== null) throw notSearchable(definition, 'searching by text', 'search');
      return 'filter';
    case 'filter':
      return 'filter';
    case 'text':
    case 'hybrid':
      if (text === null) throw bad(`Mode "${mode}" needs \`text\`.`);
      if (!definition.search) throw notSearchable(definition, `mode "${mode}"`, 'search');
      if (mode === 'hybrid' && !definition.embed) throw notSearchable(definition, 'mode "hybrid"', 'embed');
      if (mode === 'hybrid' && !canVector) throw bad(NEEDS_VECTOR);
      return mode;
    case 'vector':
      if (!definition.embed) throw notSearchable(definition, 'mode "vector"', 'embed');
      if (!canVector) throw bad(embedsTexts ? 'Mode "vector" needs `vector`, or `text` to embed.' : NEEDS_VECTOR);
      return mode;
    default:
      throw bad('`mode` must be one of vector, text, hybrid, filter.');
  }
}

function planSelect(definition: StreamDefinition, select: unknown): string[] | null {
  if (select === undefined) return null;
  if (!Array.isArray(select) || !select.every(path => typeof path === 'string')) throw bad('`select` must be an array of texts.');
  checkPaths(definition, select, 'select');
  return select;
}

function planRecency(recency: QueryRequest['recency']): SearchPlan['recency'] {
  if (recency === undefined) return null;
  if (typeof recency !== 'object' || recency === null || !(recency.halfLifeMs > 0))
    throw bad('`recency.halfLifeMs` must be a number above 0.');
  const share = recency.weight ?? 0.5;
  if (!(share >= 0 && share <= 1)) throw bad('`recency.weight` must be from 0 to 1.');
  return { halfLifeMs: recency.halfLifeMs, weight: share };
}

function weight(name: string, value: unknown): number {
  if (value === undefined) return 1;
  if (typeof value !== 'number' || !(value >= 0) || !Number.isFinite(value)) throw bad(`\`${name}\` must be a number >= 0.`);
  return value;
}

function integer(name: string, value: unknown, lowest: number, highest: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= lowest && value <= highest) return value;
  throw bad(`\`${name}\` must be an integer from ${lowest} to ${highest}.`);
}

/** A path that a declared schema closes out is a typing error worth naming; without a schema any path may come to exist. */
function checkPaths(definition: StreamDefinition, paths: readonly string[], what: string): void {
  const { schema } = definition;
  if (!schema) return;
  for (const path of paths) {
    if (canExist(schema, path)) continue;
    throw new TailwaterError('TW_UNKNOWN_FIELD', {
      detail: `The ${what} names "${path}", which the schema of stream "${definition.name}" does not have.`,
      data: { field: path, fields: isJsonObject(schema.properties) ? Object.keys(schema.properties) : [] },
    });
  }
}

function canExist(schema: JsonValue, path: string): boolean {
  if (!isJsonObject(schema) || !isJsonObject(schema.properties)) return true;
  const open = schema.additionalProperties !== undefined && schema.additionalProperties !== false;
  if (open || schema.patternProperties !== undefined) return true;
  const properties: JsonObject = schema.properties;
  if (Object.hasOwn(properties, path)) return true;
  const dot = path.indexOf('.');
  if (dot < 0) return false;
  const head = path.slice(0, dot);
  return Object.hasOwn(properties, head) && canExist(properties[head], path.slice(dot + 1));
}

/** A zero vector stays zero: its distance to everything is 1. */
export function unit(vector: Float32Array): Float32Array {
  let sum = 0;
  for (const x of vector) sum += x * x;
  if (sum === 0) return vector;
  const scale = 1 / Math.sqrt(sum);
  return vector.map(x => x * scale);
}

function bad(detail: string): TailwaterError {
  return problem('TW_BAD_REQUEST', detail);
}

function notSearchable(definition: StreamDefinition, what: string, needs: string): TailwaterError {
  return problem('TW_NOT_SEARCHABLE', `Stream "${definition.name}" does not declare \`${needs}\`, which ${what} needs.`);
}

function problem(code: ErrorCode, detail: string): TailwaterError {
  return new TailwaterError(code, { detail });
}
