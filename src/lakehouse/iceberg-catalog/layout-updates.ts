import { canonicalText, type Id, type Json, type JsonMap } from '../iceberg/exact-json.ts';
import { change, type Draft } from './draft.ts';
import { has, idsAt, integerAt, mapAt, mapsAt, refuse, textAt } from './reading.ts';
import { flatFields, isReadableAs, schemaOf } from './schemas.ts';
import type { Metadata, OrderJson, SchemaJson, SpecFieldJson, SpecJson } from './types.ts';

const TRANSFORM = /^(identity|year|month|day|hour|void|bucket\[\d+\]|truncate\[\d+\])$/;

/** Adds a schema; an equal one that is there serves. A column that changes to a type which cannot hold its values is refused. */
export function addSchema(draft: Draft, update: JsonMap): void {
  const { metadata } = draft;
  const schema = schemaOf(update);
  const fields = flatFields(schema);
  checkTypes(metadata, fields);
  const body = withoutId(schema, 'schema-id');
  const known = metadata.schemas.find(each => canonicalText(withoutId(each as JsonMap, 'schema-id')) === canonicalText(body));
  draft.lastSchema = known?.['schema-id'] ?? 1 + Math.max(-1, ...metadata.schemas.map(each => each['schema-id']));
  if (known !== undefined) return;
  change(draft, {
    'last-column-id': fields.reduce((last, field) => Math.max(last, field.id), metadata['last-column-id']),
    schemas: [...metadata.schemas, { ...body, 'schema-id': draft.lastSchema } as unknown as SchemaJson],
  });
}

function checkTypes(metadata: Metadata, fields: readonly { id: number; type: Json }[]): void {
  const current = metadata.schemas.find(each => each['schema-id'] === metadata['current-schema-id']);
  if (current === undefined) return;
  const before = new Map(flatFields(current as unknown as JsonMap).map(field => [field.id, field.type]));
  for (const { id, type } of fields) {
    const old = before.get(id);
    if (old === undefined || isReadableAs(old, type)) continue;
    refuse(
      `The column with id ${id} cannot change from ${describe(old)} to ${describe(type)}: values that were written would be lost.`,
    );
  }
}

function describe(type: Json): string {
  return typeof type === 'string' ? type : String((type as JsonMap).type);
}

export function setCurrentSchema(draft: Draft, update: JsonMap): void {
  const id = lastOr(integerAt(update, 'schema-id'), draft.lastSchema, 'schema');
  if (!draft.metadata.schemas.some(each => each['schema-id'] === id)) refuse(`The table has no schema ${id}.`);
  change(draft, { 'current-schema-id': id });
}

export function addSpec(draft: Draft, update: JsonMap): void {
  const { metadata } = draft;
  const fields = specFields(metadata, mapsAt(mapAt(update, 'spec'), 'fields'));
  const known = metadata['partition-specs'].find(each => canonicalText(each.fields) === canonicalText(fields));
  draft.lastSpec = known?.['spec-id'] ?? 1 + Math.max(-1, ...metadata['partition-specs'].map(each => each['spec-id']));
  if (known !== undefined) return;
  const spec: SpecJson = { 'spec-id': draft.lastSpec, fields };
  change(draft, {
    'partition-specs': [...metadata['partition-specs'], spec],
    'last-partition-id': fields.reduce((last, field) => Math.max(last, field['field-id']), metadata['last-partition-id']),
  });
}

/** A partition field without an id gets that which an earlier spec gave the same one, else the next. */
function specFields(metadata: Metadata, given: readonly JsonMap[]): SpecFieldJson[] {
  const columns = columnIds(metadata);
  const earlier = metadata['partition-specs'].flatMap(spec => spec.fields);
  const taken = given.filter(field => has(field, 'field-id')).map(field => integerAt(field, 'field-id'));
  let next = Math.max(metadata['last-partition-id'], ...taken);
  const names = new Set<string>();
  return given.map(field => {
    const [source, name, transform] = [integerAt(field, 'source-id'), textAt(field, 'name'), transformOf(field)];
    if (!columns.has(source)) refuse(`Partition field "${name}" names the column ${source}, which the schema lacks.`);
    if (names.has(name)) refuse(`The partition spec has two fields "${name}".`);
    names.add(name);
    const same = earlier.find(each => each['source-id'] === source && each.transform === transform);
    const id = has(field, 'field-id') ? integerAt(field, 'field-id') : (same?.['field-id'] ?? ++next);
    return { 'source-id': source, 'field-id': id, name, transform };
  });
}

export function setDefaultSpec(draft: Draft, update: JsonMap): void {
  const id = lastOr(integerAt(update, 'spec-id'), draft.lastSpec, 'partition spec');
  if (!draft.metadata['partition-specs'].some(each => each['spec-id'] === id)) refuse(`The table has no partition spec ${id}.`);
  change(draft, { 'default-spec-id': id });
}

export function addSortOrder(draft: Draft, update: JsonMap): void {
  const { metadata } = draft;
  const fields = mapsAt(mapAt(update, 'sort-order'), 'fields');
  const columns = columnIds(metadata);
  for (const field of fields) checkSortField(field, columns);
  const orders = metadata['sort-orders'];
  const known = orders.find(each => canonicalText(each.fields) === canonicalText(fields));
  draft.lastOrder = known?.['order-id'] ?? (fields.length === 0 ? 0 : 1 + Math.max(0, ...orders.map(each => each['order-id'])));
  if (known !== undefined) return;
  const order: OrderJson = { 'order-id': draft.lastOrder, fields };
  change(draft, { 'sort-orders': [...orders, order] });
}

function checkSortField(field: JsonMap, columns: ReadonlySet<number>): void {
  transformOf(field);
  const source = integerAt(field, 'source-id');
  if (!columns.has(source)) refuse(`The sort order names the column ${source}, which the schema lacks.`);
  if (!['asc', 'desc'].includes(textAt(field, 'direction'))) refuse('"direction" must be asc or desc.');
  if (!['nulls-first', 'nulls-last'].includes(textAt(field, 'null-order')))
    refuse('"null-order" must be nulls-first or nulls-last.');
}

export function setDefaultSortOrder(draft: Draft, update: JsonMap): void {
  const id = lastOr(integerAt(update, 'sort-order-id'), draft.lastOrder, 'sort order');
  if (!draft.metadata['sort-orders'].some(each => each['order-id'] === id)) refuse(`The table has no sort order ${id}.`);
  change(draft, { 'default-sort-order-id': id });
}

export function removeSchemas(draft: Draft, update: JsonMap): void {
  const ids = new Set<Id>(idsAt(update, 'schema-ids'));
  if (ids.has(draft.metadata['current-schema-id'])) refuse('The current schema cannot be removed.');
  change(draft, { schemas: draft.metadata.schemas.filter(each => !ids.has(each['schema-id'])) });
}

export function removeSpecs(draft: Draft, update: JsonMap): void {
  const ids = new Set<Id>(idsAt(update, 'spec-ids'));
  if (ids.has(draft.metadata['default-spec-id'])) refuse('The default partition spec cannot be removed.');
  change(draft, { 'partition-specs': draft.metadata['partition-specs'].filter(each => !ids.has(each['spec-id'])) });
}

/** Of any schema: a spec may come before the schema that it goes with is made current. */
function columnIds(metadata: Metadata): Set<number> {
  return new Set(metadata.schemas.flatMap(schema => flatFields(schema as unknown as JsonMap).map(field => field.id)));
}

function transformOf(field: JsonMap): string {
  const transform = textAt(field, 'transform');
  return TRANSFORM.test(transform) ? transform : refuse(`"${transform}" is not a transform.`);
}

function lastOr(id: number, last: number | null, what: string): number {
  if (id !== -1) return id;
  return last ?? refuse(`-1 means the ${what} added last, and this commit adds none before.`);
}

function withoutId(map: JsonMap, name: string): JsonMap {
  return Object.fromEntries(Object.entries(map).filter(([key]) => key !== name));
}
