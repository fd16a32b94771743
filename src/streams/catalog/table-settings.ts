import { isJsonObject, type JsonObject } from '../../base/index.ts';
import type { PartitionRule, TableDefinition } from '../definition.ts';

const MAX_RULES = 8;
const MAX_BUCKETS = 4096;
const RULE = /^(?:(day|hour)\((.+)\)|bucket\((\d{1,4}),\s*(.+)\)|([^()]+))$/;
const TIMES: ReadonlySet<string> = new Set(['_time', '_ingested_at']);

/** What of a stream decides about its table. */
export interface TableFacts {
  searchable: boolean;
  schema: JsonObject | null;
}

/** Says what is wrong with the property `path`. */
export type Refusal = (path: string, problem: string) => Error;

/**
 * The table of a stream: Iceberg unless it is searched by text or vector, which only Lance tables can be. Rules are texts:
 * `day(_time)`, `hour(_ingested_at)`, `bucket(16, user)`, `country`.
 */
export function tableDefinition(given: Record<string, unknown>, facts: TableFacts, refuse: Refusal): TableDefinition {
  const format = given.format ?? (facts.searchable ? 'lance' : 'iceberg');
  if (format !== 'lance' && format !== 'iceberg') throw refuse('table.format', 'must be "lance" or "iceberg"');
  if (format === 'lance') {
    for (const name of ['partitionBy', 'sortBy']) {
      if (given[name] !== undefined) throw refuse(`table.${name}`, 'is for tables of format "iceberg"');
    }
    return { format };
  }
  if (facts.searchable) {
    throw refuse('table.format', 'must be "lance" for a stream with `embed` or `search`: Iceberg tables have no search indexes');
  }
  const partitionBy = textsOf(given.partitionBy, 'table.partitionBy', refuse).map((text, at) =>
    ruleOf(text, `table.partitionBy[${at}]`, facts.schema, refuse),
  );
  const sortBy = textsOf(given.sortBy, 'table.sortBy', refuse);
  for (const [at, column] of sortBy.entries()) {
    const path = `table.sortBy[${at}]`;
    if (!TIMES.has(column) && typeOf(facts.schema, column) === null) throw refuse(path, notDeclared(column));
  }
  return { format, partitionBy, sortBy };
}

function ruleOf(text: string, path: string, schema: JsonObject | null, refuse: Refusal): PartitionRule {
  const parts = RULE.exec(text);
  if (parts === null) throw refuse(path, 'must be `day(_time)`, `hour(_time)`, `bucket(16, column)` or a column');
  const [, transform, timeColumn, buckets, bucketColumn, plainColumn] = parts;
  if (transform === 'day' || transform === 'hour') {
    if (!TIMES.has(timeColumn)) throw refuse(path, `must be about ${[...TIMES].join(' or ')}`);
    return { column: timeColumn, transform };
  }
  const column = bucketColumn ?? plainColumn;
  const type = typeOf(schema, column);
  if (type === null) throw refuse(path, notDeclared(column));
  if (bucketColumn === undefined) {
    if (type !== 'string' && type !== 'boolean')
      throw refuse(path, `is a ${type}; only texts and booleans are values to partition by`);
    return { column, transform: 'identity' };
  }
  if (type !== 'string' && type !== 'integer') throw refuse(path, `is a ${type}; buckets are of texts and integers`);
  if (Number(buckets) < 1 || Number(buckets) > MAX_BUCKETS) throw refuse(path, `must have 1 to ${MAX_BUCKETS} buckets`);
  return { column, transform: 'bucket', buckets: Number(buckets) };
}

/** A table is laid out before its first row, so by what is known then. */
function notDeclared(column: string): string {
  return `names "${column.slice(0, 100)}", which is no property of one type at the top of the stream's JSON Schema`;
}

/** The one type besides null that a JSON Schema declares for a property at the top; null: none. */
function typeOf(schema: JsonObject | null, property: string): string | null {
  const properties = schema?.properties;
  const declared = isJsonObject(properties) && Object.hasOwn(properties, property) ? properties[property] : null;
  if (!isJsonObject(declared)) return null;
  const types = (Array.isArray(declared.type) ? declared.type : [declared.type]).filter(type => type !== 'null');
  const [type] = types;
  return types.length === 1 && typeof type === 'string' && ['string', 'integer', 'number', 'boolean'].includes(type)
    ? type
    : null;
}

function textsOf(given: unknown, path: string, refuse: Refusal): string[] {
  if (given === undefined) return [];
  const isList =
    Array.isArray(given) && given.length <= MAX_RULES && given.every(each => typeof each === 'string' && each.length <= 512);
  if (!isList) throw refuse(path, `must be a list of at most ${MAX_RULES} texts`);
  const texts = given as string[];
  const twice = texts.find((text, index) => texts.indexOf(text) !== index);
  if (twice !== undefined) throw refuse(path, `names "${twice}" twice`);
  return [...texts];
}
