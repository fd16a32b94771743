import { isJsonObject, type JsonObject, type JsonValue } from '../../base/index.ts';

/** What OpenAI's strict mode takes of a schema's keywords; the rest is checked when the tool is called. */
const KEPT = ['type', 'enum', 'const', 'description', 'items', 'anyOf'];

/**
 * The schema in OpenAI's strict form: every property is required, those that need not be given may be null, and nothing else is allowed. Null
 * where the form cannot say it: an object with names of its own, such as a filter.
 */
export function strictSchema(schema: JsonObject): JsonObject | null {
  const kept: JsonObject = {};
  for (const name of KEPT) if (schema[name] !== undefined) kept[name] = schema[name];
  if (isJsonObject(schema.items)) {
    const items = strictSchema(schema.items);
    if (items === null) return null;
    kept.items = items;
  }
  if (Array.isArray(schema.anyOf)) {
    const each = schema.anyOf.map(one => (isJsonObject(one) ? strictSchema(one) : null));
    if (each.includes(null)) return null;
    kept.anyOf = each as JsonValue[];
  }
  if (schema.type !== 'object')
    return schema.type === undefined && kept.anyOf === undefined && kept.enum === undefined ? null : kept;
  return strictObject(schema, kept);
}

function strictObject(schema: JsonObject, kept: JsonObject): JsonObject | null {
  if (!isJsonObject(schema.properties) || schema.additionalProperties !== false) return null;
  const required = Array.isArray(schema.required) ? schema.required : [];
  const properties: JsonObject = {};
  for (const [name, own] of Object.entries(schema.properties)) {
    const strict = isJsonObject(own) ? strictSchema(own) : null;
    if (strict === null) return null;
    properties[name] = required.includes(name) ? strict : { anyOf: [strict, { type: 'null' }] };
  }
  return { ...kept, properties, required: Object.keys(properties), additionalProperties: false };
}

/** What a model in strict mode could not leave out is null; to the tool it was not given. */
export function withoutNulls(args: unknown): unknown {
  if (!isJsonObject(args)) return args;
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null));
}
