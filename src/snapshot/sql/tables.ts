import { TailwaterError } from '../../base/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import type { Pinned } from '../pinned.ts';
import { jsonColumnsOf, resolveColumns, type ScanSchemas } from '../scan/scan-schema.ts';
import type { ScanPlan } from '../scan/scan-types.ts';
import type { TableCopies } from './copies.ts';
import type { SqlNeeds, TableNeeds } from './needs.ts';
import { sourceOf, type TableSource } from './sources.ts';

const SYSTEM_COLUMNS = ['_partition', '_offset', '_seq', '_key_text', '_time', '_ingested_at', '_headers', '_extra'];

/** A stream of a query: what it is called there, and what is read of it. */
export interface QueriedTable {
  needs: TableNeeds;
  pinned: Pinned;
  plan: ScanPlan;
  jsonColumns: ReadonlySet<string>;
  source: TableSource;
}

/** The stream a query means: the name as it is, else the one stream that is the same but for case. TW_STREAM_NOT_FOUND. */
export function streamNamed(name: string, definitions: readonly StreamDefinition[]): StreamDefinition {
  const exact = definitions.find(definition => definition.name === name);
  if (exact !== undefined) return exact;
  const similar = definitions.filter(definition => definition.name.toLowerCase() === name.toLowerCase());
  if (similar.length === 1) return similar[0];
  const known = definitions.map(definition => definition.name).filter(each => !each.startsWith('_'));
  const shown =
    known.length === 0 ? 'There are none.' : `There are ${known.slice(0, 20).join(', ')}${known.length > 20 ? ', …' : ''}.`;
  throw new TailwaterError('TW_STREAM_NOT_FOUND', { detail: `There is no stream "${name}" to select from. ${shown}` });
}

export function isStream(name: string, definitions: readonly StreamDefinition[]): boolean {
  return definitions.some(definition => definition.name.toLowerCase() === name.toLowerCase());
}

/** What is read of a stream; `narrow`: the columns whose names occur in the query, else all of them. */
export async function queriedTable(
  needs: TableNeeds,
  names: SqlNeeds['names'],
  pinned: Pinned,
  { schemas, copies }: { schemas: ScanSchemas; copies: TableCopies },
  narrow: boolean,
): Promise<QueriedTable> {
  const schema = await schemas.of(pinned);
  const all = [...SYSTEM_COLUMNS, ...schema.columns.map(column => column.name)];
  const named =
    needs.all || !narrow ? all : all.filter(name => names.has(name.toLowerCase()) || needs.columns.has(name.toLowerCase()));
  const { fields, names: columns } = resolveColumns(schema, named.length === 0 ? ['_partition'] : named);
  const plan: ScanPlan = {
    schema,
    columns,
    fields,
    filter: null,
    conditions: needs.conditions.flatMap(condition => {
      const column = all.find(name => name.toLowerCase() === condition.column.toLowerCase());
      return column === undefined ? [] : [{ ...condition, column }];
    }),
    tail: true,
    shard: null,
    afterSeq: -1,
    ordered: true,
    limit: needs.limit,
  };
  return { needs, pinned, plan, jsonColumns: jsonColumnsOf(schema), source: await sourceOf(pinned, plan, copies) };
}
