import type { DuckDBAppender } from '@duckdb/node-api';
import { type Clock, Pace } from '../../base/index.ts';
import {
  type ArrowData,
  type ArrowField,
  arrow,
  BytesBuilder,
  fieldsOf,
  type ParquetRows,
  PLACE_SQL,
} from '../../lakehouse/index.ts';
import type { Pinned } from '../pinned.ts';
import { hiddenKeys } from '../scan/hidden-keys.ts';
import { mergedScan } from '../scan/merged-scan.ts';
import type { ScanPlan } from '../scan/scan-types.ts';
import { appendBatch, columnSql } from './load.ts';
import { OWN_SCHEMA, type Sandbox } from './sandbox.ts';
import { fillCopy } from './sources.ts';
import type { QueriedTable } from './tables.ts';

const SLICE_MS = 5;

/** Without rows: enough to tell whether the query fits it. */
export async function createTable(table: QueriedTable, sandbox: Sandbox): Promise<void> {
  await sandbox.step(connection => connection.run(`CREATE TABLE ${quoted(table.needs.name)} (${columnsSql(table)})`));
}

/** Gives the table its rows. Where DuckDB reads files, a view over them and over what else there is takes its place. */
export async function fillTable(table: QueriedTable, index: number, sandbox: Sandbox, clock: Clock): Promise<void> {
  const { needs, pinned, plan, source } = table;
  if (source === null) return appendScan({ table: needs.name }, pinned, plan, sandbox, clock);
  if (source.kind === 'copy') await sandbox.until(fillCopy(source.copy, pinned, plan, clock, () => sandbox.checkDeadline()));
  const conditions = [
    await deletedCondition(source.rows, `deleted_${index}`, sandbox),
    await hiddenCondition(table, source.rows, `hidden_${index}`, sandbox, clock),
  ].filter(condition => condition !== null);
  const tail = `tail_${index}`;
  await sandbox.step(connection => connection.run(`CREATE TABLE ${own(tail)} (${columnsSql(table)})`));
  await appendScan({ table: tail, schema: OWN_SCHEMA }, { ...pinned, table: null }, plan, sandbox, clock);
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  const columns = plan.fields.map(field => `${columnOf(field, table, source.rows)} AS ${quoted(field.name)}`);
  const name = quoted(needs.name);
  const rows = source.rows.paths.length === 0 ? '' : `SELECT ${columns.join(', ')} ${source.rows.from}${where} UNION ALL `;
  await sandbox.step(connection => connection.run(`DROP TABLE ${name}; CREATE VIEW ${name} AS ${rows}FROM ${own(tail)}`));
}

function columnsSql({ plan, jsonColumns }: QueriedTable): string {
  return plan.fields.map(field => `${quoted(field.name)} ${columnSql(field, jsonColumns.has(field.name))}`).join(', ');
}

/** A column as the query's schema has it: the tail may have added it, or have widened it. */
function columnOf(field: ArrowField, { pinned, jsonColumns }: QueriedTable, rows: ParquetRows): string {
  const type = columnSql(field, jsonColumns.has(field.name));
  const [found] = fieldsOf(pinned.table!.state.schema, [field.name]);
  return `CAST(${found === undefined ? 'NULL' : rows.columnOf(field.name)} AS ${type})`;
}

interface Target {
  table: string;
  schema?: string;
}

async function appendScan(
  { table, schema }: Target,
  pinned: Pinned,
  plan: ScanPlan,
  sandbox: Sandbox,
  clock: Clock,
): Promise<void> {
  const appender = await sandbox.step(connection => connection.createAppender(table, schema));
  const pace = new Pace(clock, SLICE_MS);
  for await (const batch of mergedScan(pinned, plan, clock)) {
    await sandbox.step(async () => appendBatch(appender, plan.fields, batch));
    if (pace.due) await pace.rest();
  }
  await sandbox.step(async () => appender.closeSync());
}

/** `IN` is unknown for a null, and neither it nor what is not in the list may be lost. As a filter it keeps rows in order. */
function isNoneOf(value: string, table: string): string {
  return `(${value} IN (FROM ${own(table)})) IS NOT TRUE`;
}

async function deletedCondition({ deletedPlaces }: ParquetRows, table: string, sandbox: Sandbox): Promise<string | null> {
  if (deletedPlaces.length === 0) return null;
  const data = BigInt64Array.from(deletedPlaces, BigInt);
  const places = arrow.makeData({ type: new arrow.Int64(), length: data.length, nullCount: 0, data });
  await appendColumn(new arrow.Field('place', places.type, false), places, table, sandbox);
  return isNoneOf(`(${PLACE_SQL})`, table);
}

/** Of keys that the tail has written again. */
async function hiddenCondition(
  { pinned, plan }: QueriedTable,
  rows: ParquetRows,
  table: string,
  sandbox: Sandbox,
  clock: Clock,
): Promise<string | null> {
  const hidden = await hiddenKeys(pinned, pinned.table!, plan, clock);
  if (hidden === null) return null;
  const keys = new BytesBuilder(hidden.size, 32);
  for (const [row, key] of [...hidden].entries()) {
    const bytes = Buffer.from(key, 'latin1');
    keys.set(row, bytes, 0, bytes.length);
  }
  const data = keys.finish(new arrow.Binary());
  await appendColumn(new arrow.Field('key', data.type, false), data, table, sandbox);
  return isNoneOf(rows.columnOf('_key'), table);
}

async function appendColumn(field: ArrowField, data: ArrowData, table: string, sandbox: Sandbox): Promise<void> {
  await sandbox.step(async connection => {
    await connection.run(`CREATE TABLE ${own(table)} (${quoted(field.name)} ${columnSql(field, false)})`);
    const appender: DuckDBAppender = await connection.createAppender(table, OWN_SCHEMA);
    appendBatch(appender, [field], { rows: data.length, columns: [data], lastSeq: -1 });
    appender.closeSync();
  });
}

function own(table: string): string {
  return `${OWN_SCHEMA}.${table}`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
