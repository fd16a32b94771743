import { createHash } from 'node:crypto';
import { isDeeperThan, isJsonObject, type JsonObject, type JsonValue, TailwaterError } from '../base/index.ts';
import { compileSchema } from '../ingest/index.ts';
import type { Consistency } from '../snapshot/index.ts';
import type { ContextRequest } from './context-types.ts';

const MAX_DEPTH = 32;

/** A context with a name: what is asked, with places for parameters. */
export interface ContextDefinition {
  description?: string;
  /** By name, its JSON Schema. One with a `default` may be left out of a call. Default: none. */
  parameters?: Record<string, JsonObject>;
  /** A context request in which `{"$param": name}` may stand for any value. No `consistency`: that is of the call. */
  context: JsonObject;
}

export interface ContextCall {
  params?: JsonObject;
  /** The version to call; default the current one. */
  version?: string;
  budget?: { tokens: number };
  consistency?: Consistency;
  deadlineMs?: number;
}

export interface ContextInfo {
  name: string;
  /** 16 hexadecimal digits, of the definition. */
  version: string;
  definition: ContextDefinition;
  /** ISO 8601. */
  appliedAt: string;
  /** Versions before, newest first, which can still be called. */
  past: { version: string; appliedAt: string }[];
}

export function definitionVersion(definition: ContextDefinition): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(definition as unknown as JsonValue)))
    .digest('hex')
    .slice(0, 16);
}

/** Throws TW_BAD_REQUEST for what is no definition, and for parameters that are used and not declared. */
export function parseContextDefinition(given: unknown): ContextDefinition {
  if (!isJsonObject(given) || !isJsonObject(given.context)) throw bad('A context definition needs `context`, an object');
  const unknown = Object.keys(given).find(name => !['description', 'parameters', 'context'].includes(name));
  if (unknown !== undefined) throw bad(`A context definition has no member "${unknown.slice(0, 200)}"`);
  if (given.description !== undefined && typeof given.description !== 'string') throw bad('`description` must be a text');
  if (isDeeperThan(given, MAX_DEPTH)) throw bad(`The definition is nested more than ${MAX_DEPTH} deep`);
  const parameters = given.parameters ?? {};
  if (!isJsonObject(parameters)) throw bad('`parameters` must be an object of JSON Schemas by name');
  for (const [name, schema] of Object.entries(parameters)) {
    if (!isJsonObject(schema)) throw bad(`The parameter "${name.slice(0, 200)}" must be a JSON Schema`);
    compileSchema(schema);
  }
  if (Object.hasOwn(given.context, 'consistency')) throw bad('`context.consistency` is of the call, not of the definition');
  filled(given.context, name => {
    if (!Object.hasOwn(parameters, name))
      throw bad(`The context uses the parameter "${name.slice(0, 200)}", which is not declared`);
    return null;
  });
  return given as unknown as ContextDefinition;
}

/** Pure: the request of a call. Throws TW_CONTEXT_PARAMETERS. */
export function requestOf(name: string, definition: ContextDefinition, call: ContextCall): ContextRequest {
  const parameters = definition.parameters ?? {};
  const params = call.params ?? {};
  if (!isJsonObject(params)) throw mismatch(name, parameters, '`params` must be an object');
  const unknown = Object.keys(params).find(param => !Object.hasOwn(parameters, param));
  if (unknown !== undefined) throw mismatch(name, parameters, `there is no parameter "${unknown.slice(0, 200)}"`);
  const values = new Map<string, JsonValue>();
  for (const [param, schema] of Object.entries(parameters)) {
    const value = Object.hasOwn(params, param) ? params[param] : schema.default;
    if (value === undefined) throw mismatch(name, parameters, `"${param}" is missing`);
    const problem = compileSchema(schema)(value);
    if (problem !== null) throw mismatch(name, parameters, `"${param}" does not fit: ${problem}`);
    values.set(param, value);
  }
  const context = filled(definition.context, param => values.get(param)!) as unknown as ContextRequest;
  return {
    ...context,
    ...(call.budget === undefined ? {} : { budget: call.budget }),
    ...(call.consistency === undefined ? {} : { consistency: call.consistency }),
    ...(call.deadlineMs === undefined ? {} : { deadlineMs: call.deadlineMs }),
  };
}

/** Values put in are not looked into: a parameter cannot name another. */
function filled(value: JsonValue, replace: (name: string) => JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(item => filled(item, replace));
  if (!isJsonObject(value)) return value;
  const { $param: param, ...others } = value;
  if (typeof param === 'string' && Object.keys(others).length === 0) return replace(param);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, filled(member, replace)]));
}

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map(name => [name, sorted(value[name])]));
}

function mismatch(name: string, parameters: Record<string, JsonObject>, why: string): TailwaterError {
  return new TailwaterError('TW_CONTEXT_PARAMETERS', { detail: `A call of context "${name}": ${why}.`, data: { parameters } });
}

function bad(problem: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail: `${problem}.` });
}
