import { isJsonObject, type JsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';
import { asSqlError, invalid } from './errors.ts';
import type { ParserConnection } from './sandbox.ts';

const MAX_SQL_CHARACTERS = 100_000;

/** A node of DuckDB's syntax tree, as `json_serialize_sql` writes it. */
export type SqlNode = JsonObject;

/**
 * The syntax tree of the one statement, by DuckDB's own parser, which runs nothing. TW_SQL_INVALID for what cannot be parsed,
 * TW_SQL_NOT_ALLOWED for more than one statement and for anything but SELECT and its like (VALUES, FROM, WITH, DESCRIBE, SUMMARIZE).
 */
export async function parseSelect(sql: string, parser: ParserConnection): Promise<SqlNode> {
  if (sql.length > MAX_SQL_CHARACTERS)
    throw invalid(`It has ${sql.length} characters; at most ${MAX_SQL_CHARACTERS} are allowed.`);
  const tree = await serialized(sql, parser);
  if (tree.error === true) throw refused(sql, tree);
  const statements = Array.isArray(tree.statements) ? tree.statements : [];
  if (statements.length === 0) throw invalid('There is no statement.');
  if (statements.length > 1) throw notAllowed(`There are ${statements.length} statements; send one.`);
  const [statement] = statements;
  if (!isJsonObject(statement) || !isJsonObject(statement.node)) throw invalid('It has no query.');
  if (statement.named_param_map !== undefined) throw invalid('Parameters have no values here; write the values into the query.');
  return statement.node;
}

async function serialized(sql: string, parser: ParserConnection): Promise<JsonObject> {
  try {
    const tree: JsonValue = JSON.parse(await parser.serialize(sql));
    return isJsonObject(tree) ? tree : {};
  } catch (error) {
    throw asSqlError(error);
  }
}

function refused(sql: string, tree: JsonObject): TailwaterError {
  const message = String(tree.error_message ?? '');
  if (tree.error_type === 'not implemented')
    return notAllowed('Only SELECT and its like (WITH, FROM, VALUES, DESCRIBE, SUMMARIZE) can be run.');
  const position = Number(tree.position ?? Number.NaN);
  if (Number.isNaN(position)) return invalid(message);
  const before = sql.slice(0, position).split('\n');
  return invalid(`${message}, at line ${before.length}, column ${before.at(-1)!.length + 1}.`);
}

export function notAllowed(why: string): TailwaterError {
  return new TailwaterError('TW_SQL_NOT_ALLOWED', { detail: why });
}

/** Every node of the tree, parents before their children. */
export function* nodesOf(value: JsonValue): Generator<SqlNode> {
  const stack: JsonValue[] = [value];
  while (stack.length > 0) {
    const next = stack.pop()!;
    if (typeof next !== 'object' || next === null) continue;
    if (isJsonObject(next)) yield next;
    stack.push(...Object.values(next).reverse());
  }
}

/** The texts of a list. */
export function texts(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter(each => typeof each === 'string') : [];
}
