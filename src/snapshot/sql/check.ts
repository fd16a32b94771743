import { isJsonObject } from '../../base/index.ts';
import { nodesOf, notAllowed, type SqlNode } from './parse.ts';

/** Functions that make rows of nothing but their arguments. Every other one in FROM reads files, settings or the catalog. */
const TABLE_FUNCTIONS: ReadonlySet<string> = new Set(['range', 'generate_series', 'unnest', 'json_each', 'json_tree']);

/** Scalar functions about the process or the database, not about data. */
const DENIED_FUNCTIONS: ReadonlySet<string> = new Set([
  'getenv',
  'current_setting',
  'set_config',
  'getvariable',
  'nextval',
  'currval',
  'current_query',
  'write_log',
  'query',
  'query_table',
  'json_execute_serialized_sql',
  'sleep_ms',
  'force_checkpoint',
  'checkpoint',
]);

const DENIED_PREFIX = /^(pg_|duckdb_|pragma_|read_|has_.*_privilege$|txid_|parquet_|sniff_|glob$)/;
const OWN_SCHEMAS: ReadonlySet<unknown> = new Set([undefined, '', 'main']);

/** TW_SQL_NOT_ALLOWED for anything that reaches beyond the streams. What passes runs in a database that could not reach further either. */
export function checkReach(tree: SqlNode): void {
  for (const node of nodesOf(tree)) {
    if (node.type === 'TABLE_FUNCTION') checkTableFunction(node);
    if (node.class === 'FUNCTION') checkFunction(node);
    if (node.type === 'SHOW_REF' && !isJsonObject(node.query)) {
      throw notAllowed('SHOW lists a database; `tailwater streams` lists the streams, and DESCRIBE shows the columns of one.');
    }
    if (node.at_clause !== undefined)
      throw notAllowed('A table cannot be read AT a version; give the query a `consistency` with `asOf`.');
  }
}

function checkTableFunction(node: SqlNode): void {
  const name = isJsonObject(node.function) ? String(node.function.function_name ?? '').toLowerCase() : '';
  if (TABLE_FUNCTIONS.has(name)) return;
  throw notAllowed(
    `The table function ${name} is not for queries here; ${[...TABLE_FUNCTIONS].join(', ')} are, and streams by name.`,
  );
}

function checkFunction(node: SqlNode): void {
  const name = String(node.function_name ?? '').toLowerCase();
  const isOwn = OWN_SCHEMAS.has(node.schema) && OWN_SCHEMAS.has(node.catalog);
  if (isOwn && !DENIED_FUNCTIONS.has(name) && (!DENIED_PREFIX.test(name) || name === 'pg_typeof')) return;
  throw notAllowed(`The function ${name} is about the database, not about data; it cannot be used here.`);
}
