import { isJsonObject, type JsonObject, type JsonValue } from '../../base/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import type { TableColumn, TableSchema } from '../table-types.ts';
import { ColumnNames, MAX_COLUMNS } from './names.ts';

type ColumnType = TableColumn['type'];

const MAX_DEPTH = 8;
const MAX_REFERENCES = 32;

const TYPE_OF: ReadonlyMap<string, ColumnType> = new Map([
  ['boolean', 'bool'],
  ['integer', 'int64'],
  ['number', 'float64'],
  ['string', 'string'],
]);

/**
 * The table schema of a stream before its first row. Properties of a declared JSON Schema become columns, nested ones under their
 * dotted path; what has no single scalar type becomes a json column. Without a JSON Schema there are no user columns yet.
 */
export function initialSchema(definition: StreamDefinition): TableSchema {
  const columns: TableColumn[] = [];
  if (definition.schema !== null) collect(definition.schema, definition.schema, '', 0, columns, new ColumnNames([]));
  return { id: 1, columns, dimensions: definition.embed?.dimensions ?? null, text: definition.search !== null };
}

function collect(
  root: JsonObject,
  schema: JsonObject,
  prefix: string,
  depth: number,
  columns: TableColumn[],
  names: ColumnNames,
): void {
  for (const [name, property] of Object.entries(propertiesOf(schema))) {
    if (columns.length >= MAX_COLUMNS) return;
    const declared = resolve(root, property);
    const path = prefix + name;
    if (mayNest(declared, name, depth, columns.length)) {
      collect(root, declared, `${path}.`, depth + 1, columns, names);
    } else {
      const column: TableColumn = { name: names.take(path), path, type: columnType(root, declared) };
      columns.push(name.includes('.') ? { ...column, literal: true } : column);
    }
  }
}

/** An object with declared properties of plain names; every other object stays one json column. */
function mayNest(schema: JsonObject, name: string, depth: number, used: number): boolean {
  const inner = Object.keys(propertiesOf(schema));
  const declaredObject = jsonTypes(schema).every(type => type === 'object') && inner.length > 0;
  return (
    declaredObject &&
    depth < MAX_DEPTH &&
    used + inner.length <= MAX_COLUMNS &&
    ![name, ...inner].some(each => each.includes('.'))
  );
}

function propertiesOf(schema: JsonObject): JsonObject {
  return isJsonObject(schema.properties) ? schema.properties : {};
}

function columnType(root: JsonObject, schema: JsonObject): ColumnType {
  const types = new Set<ColumnType>(jsonTypes(schema).map(type => TYPE_OF.get(type) ?? 'json'));
  if (types.size === 0) for (const value of fixedValues(schema)) if (value !== null) types.add(typeOfValue(value));
  if (types.size === 0)
    for (const choice of choicesOf(root, schema)) types.add(hasChoices(choice) ? 'json' : columnType(root, choice));
  if (types.size === 2 && types.has('int64') && types.has('float64')) return 'float64';
  return types.size === 1 ? [...types][0] : 'json';
}

/** The `type` keyword without null; none when it is absent. */
function jsonTypes(schema: JsonObject): string[] {
  const types = Array.isArray(schema.type) ? schema.type : [schema.type];
  return types.filter((type): type is string => typeof type === 'string' && type !== 'null');
}

function fixedValues(schema: JsonObject): JsonValue[] {
  if (Array.isArray(schema.enum)) return schema.enum;
  return Object.hasOwn(schema, 'const') ? [schema.const] : [];
}

function choicesOf(root: JsonObject, schema: JsonObject): JsonObject[] {
  const choices = Array.isArray(schema.anyOf) ? schema.anyOf : Array.isArray(schema.oneOf) ? schema.oneOf : [];
  return choices.map(choice => resolve(root, choice)).filter(choice => choice.type !== 'null');
}

function hasChoices(schema: JsonObject): boolean {
  return Array.isArray(schema.anyOf) || Array.isArray(schema.oneOf);
}

function typeOfValue(value: JsonValue): ColumnType {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value !== 'number') return 'json';
  return Number.isSafeInteger(value) ? 'int64' : 'float64';
}

/** Follows local references (`#/$defs/Name`); what cannot be followed says nothing about its type. */
function resolve(root: JsonObject, schema: JsonValue): JsonObject {
  let current = schema;
  for (let step = 0; step < MAX_REFERENCES; step++) {
    if (!isJsonObject(current)) return {};
    const reference = current.$ref;
    if (typeof reference !== 'string') return current;
    current = reference.startsWith('#/') ? pointTo(root, reference) : {};
  }
  return {};
}

function pointTo(root: JsonObject, reference: string): JsonValue {
  let found: JsonValue = root;
  for (const part of reference.slice(2).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (!isJsonObject(found) || !Object.hasOwn(found, name)) return {};
    found = found[name];
  }
  return found;
}
