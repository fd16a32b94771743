import { fromUtf8, type JsonValue, type Pace } from '../../base/index.ts';
import { analyze, embedText, type StreamDefinition, type StreamRecord, searchText } from '../../streams/index.ts';
import { inferSchema } from '../columns/infer.ts';
import { SettledValues } from '../columns/settled-values.ts';
import type { StatisticsCollector } from '../statistics/collector.ts';
import type { TableSchema } from '../table-types.ts';
import type { VectorRequest } from './settings.ts';

/** What the values of a step say, beside their bytes. */
export interface DerivedStep {
  schema: TableSchema;
  /** Index-aligned with the rows; empty when the stream has no search. */
  texts: (string | null)[];
  /** Rows with something to embed, in order, and their positions among the rows. */
  embed: VectorRequest[];
  embedPositions: number[];
}

const CHUNK_RECORDS = 512;

/**
 * One pass over the records in log order: every value shapes the schema (the fold must not depend on where steps are cut); values
 * of `rows` (a subsequence of `records`) give texts and enter the statistics. Values are parsed once and dropped.
 */
export async function deriveStep(
  definition: StreamDefinition,
  base: TableSchema,
  records: readonly StreamRecord[],
  rows: readonly StreamRecord[],
  statistics: StatisticsCollector,
  pace: Pace,
): Promise<DerivedStep> {
  const derived: DerivedStep = { schema: base, texts: [], embed: [], embedPositions: [] };
  if (definition.kind === 'upsert') for (const row of rows) if (row.key !== null) statistics.addKey(row.key, 1);
  if (definition.schema !== null && definition.search === null && definition.embed === null) return derived;
  if (definition.search === null && definition.embed === null) {
    derived.schema = await inferred(definition, base, records, pace);
    return derived;
  }
  let position = 0;
  for (let at = 0; at < records.length; at += CHUNK_RECORDS) {
    if (pace.due) await pace.rest();
    const chunk = records.slice(at, at + CHUNK_RECORDS);
    const values = chunk.map(record => parseValue(record.value));
    derived.schema = inferSchema(derived.schema, definition, values);
    for (const [index, record] of chunk.entries()) {
      if (record === rows[position]) deriveRow(definition, record, values[index], position++, derived, statistics);
    }
  }
  return derived;
}

/** Only what may change the schema is parsed. */
async function inferred(
  definition: StreamDefinition,
  base: TableSchema,
  records: readonly StreamRecord[],
  pace: Pace,
): Promise<TableSchema> {
  let schema = base;
  let settled = new SettledValues(schema);
  for (let at = 0; at < records.length; at += CHUNK_RECORDS) {
    if (pace.due) await pace.rest();
    const values: JsonValue[] = [];
    for (const { value } of records.slice(at, at + CHUNK_RECORDS)) {
      if (value !== null && !settled.has(value)) values.push(parseValue(value));
    }
    const next = inferSchema(schema, definition, values);
    if (next !== schema) settled = new SettledValues(next);
    schema = next;
  }
  return schema;
}

function deriveRow(
  definition: StreamDefinition,
  row: StreamRecord,
  value: JsonValue,
  position: number,
  derived: DerivedStep,
  statistics: StatisticsCollector,
): void {
  if (definition.search !== null) {
    const text = searchText(definition, value);
    derived.texts.push(text);
    if (text !== null) statistics.addText(analyze(text), 1);
  }
  const text = embedText(definition, value);
  if (text === null) return;
  derived.embed.push({ seq: row.seq, text });
  derived.embedPositions.push(position);
}

/** Null as well when the bytes are not JSON: such a value has no columns and no text, but its bytes are kept. */
export function parseValue(value: Uint8Array | null): JsonValue {
  if (value === null) return null;
  try {
    return JSON.parse(fromUtf8(value));
  } catch {
    return null;
  }
}
