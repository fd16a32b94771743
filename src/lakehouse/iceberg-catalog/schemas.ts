import { isMap, type Json, type JsonMap } from '../iceberg/exact-json.ts';
import { arrayAt, has, integerAt, mapAt, mapsAt, refuse, textAt } from './reading.ts';

const PRIMITIVES: ReadonlySet<string> = new Set(
  'boolean int long float double date time timestamp timestamptz string uuid binary'.split(' '),
);
const DECIMAL = /^decimal\((\d+), ?(\d+)\)$/;
const FIXED = /^fixed\[\d+\]$/;
const MAX_DEPTH = 100;

/** A field anywhere in a schema, with what its column is. */
export interface FlatField {
  id: number;
  type: Json;
}

/** Every field of a struct, those of lists and maps included. Throws TW_BAD_REQUEST for what is no schema of format version 2. */
export function flatFields(struct: JsonMap): FlatField[] {
  const found: FlatField[] = [];
  visit(struct, found, 0);
  const ids = new Set(found.map(field => field.id));
  if (ids.size < found.length) refuse('Two fields of the schema have the same id.');
  return found;
}

function visit(type: Json, found: FlatField[], depth: number): void {
  if (depth > MAX_DEPTH) refuse(`The schema is nested more than ${MAX_DEPTH} levels deep.`);
  if (!isMap(type)) {
    checkPrimitive(type);
    return;
  }
  const kind = textAt(type, 'type');
  if (kind === 'struct') visitStruct(type, found, depth);
  else if (kind === 'list') visitParts(type, ['element'], found, depth);
  else if (kind === 'map') visitParts(type, ['key', 'value'], found, depth);
  else refuse(`"${kind}" is not a type of Iceberg's format version 2.`);
}

function visitStruct(struct: JsonMap, found: FlatField[], depth: number): void {
  const names = new Set<string>();
  for (const field of mapsAt(struct, 'fields')) {
    const name = textAt(field, 'name');
    if (names.has(name)) refuse(`The schema has two columns "${name}".`);
    names.add(name);
    if (typeof field.required !== 'boolean') refuse(`"required" of column "${name}" must be true or false.`);
    found.push({ id: integerAt(field, 'id'), type: field.type });
    visit(field.type, found, depth + 1);
  }
}

function visitParts(type: JsonMap, parts: readonly string[], found: FlatField[], depth: number): void {
  for (const part of parts) {
    found.push({ id: integerAt(type, `${part}-id`), type: type[part] });
    visit(type[part], found, depth + 1);
  }
}

function checkPrimitive(type: Json): void {
  if (typeof type === 'string' && (PRIMITIVES.has(type) || DECIMAL.test(type) || FIXED.test(type))) return;
  refuse(`"${String(type)}" is not a type of Iceberg's format version 2.`);
}

/** Whether every value that was written as `from` can be read as `to`. */
export function isReadableAs(from: Json, to: Json): boolean {
  if (typeof from !== 'string' || typeof to !== 'string') return isMap(from) && isMap(to) && from.type === to.type;
  if (from === to || (from === 'int' && to === 'long') || (from === 'float' && to === 'double')) return true;
  const [before, after] = [DECIMAL.exec(from), DECIMAL.exec(to)];
  return before !== null && after !== null && before[2] === after[2] && Number(after[1]) >= Number(before[1]);
}

/** The struct with ids from 1 on: those of one level before those below it. `renumbered` maps the old ids to the new ones. */
export function withFreshIds(struct: JsonMap): { struct: JsonMap; renumbered: Map<number, number> } {
  flatFields(struct);
  const renumbered = new Map<number, number>();
  const next = (id: number): number => {
    renumbered.set(id, renumbered.size + 1);
    return renumbered.size;
  };
  const fresh = freshType(struct, next) as JsonMap;
  if (!has(struct, 'identifier-field-ids')) return { struct: fresh, renumbered };
  const identifiers = arrayAt(struct, 'identifier-field-ids').map(id => renumberedId(renumbered, id));
  return { struct: { ...fresh, 'identifier-field-ids': identifiers }, renumbered };
}

export function renumberedId(renumbered: ReadonlyMap<number, number>, id: Json): number {
  return renumbered.get(id as number) ?? refuse(`No field of the schema has the id ${String(id)}.`);
}

function freshType(type: Json, next: (id: number) => number): Json {
  if (!isMap(type)) return type;
  if (type.type === 'struct') {
    const numbered = mapsAt(type, 'fields').map(field => ({ ...field, id: next(integerAt(field, 'id')) }));
    return { ...type, fields: numbered.map((field: JsonMap) => ({ ...field, type: freshType(field.type, next) })) };
  }
  if (type.type === 'list') {
    const id = next(integerAt(type, 'element-id'));
    return { ...type, 'element-id': id, element: freshType(type.element, next) };
  }
  const ids = { 'key-id': next(integerAt(type, 'key-id')), 'value-id': next(integerAt(type, 'value-id')) };
  return { ...type, ...ids, key: freshType(type.key, next), value: freshType(type.value, next) };
}

export function schemaOf(map: JsonMap): JsonMap {
  const schema = mapAt(map, 'schema');
  if (schema.type !== 'struct') refuse('"schema" must be a struct.');
  return schema;
}
