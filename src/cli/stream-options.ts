import { type Command, Option } from 'commander';
import type { JsonObject } from '../base/index.ts';
import type { StreamKind, StreamSettings, TableFormat } from '../streams/index.ts';
import { parseCount, parseFields, parseJsonObject, parseTime } from './arguments.ts';

/** What a command may say about a stream it creates. */
export interface StreamOptions {
  kind?: StreamKind;
  key?: string[];
  time?: NonNullable<StreamSettings['time']>;
  embed?: string[];
  search?: string[];
  schema?: JsonObject;
  partitions?: number;
  history?: string;
  retention?: string;
  ttl?: NonNullable<StreamSettings['ttl']>;
  tableFormat?: TableFormat;
  partitionBy?: string[];
  sortBy?: string[];
}

export function addStreamOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--kind <kind>',
        'every record a row, or the newest of each key (default: upsert with --key, else append)',
      ).choices(['append', 'upsert']),
    )
    .option('--key <fields>', 'field(s) that make the key, comma-separated', parseFields)
    .option('--time <field[:unit]>', 'field of the event time; unit s, ms or us for numbers', parseTime)
    .option('--embed <fields>', 'fields to search by meaning, comma-separated', parseFields)
    .option('--search <fields>', 'fields to search by words, comma-separated', parseFields)
    .option('--schema <json>', 'JSON Schema that every value must match', parseJsonObject)
    .option('--partitions <count>', 'number of partitions', parseCount)
    .option('--history <duration>', 'how long superseded versions are kept, such as P7D or forever')
    .option('--retention <duration>', 'how long records are kept')
    .option('--ttl <duration or field>', 'how long after its event time a row expires, or the field that says when', parseTtl)
    .addOption(
      new Option(
        '--table-format <format>',
        'format of the table (default: lance with --embed or --search, else iceberg)',
      ).choices(['lance', 'iceberg']),
    )
    .option('--partition-by <rules...>', 'what an Iceberg table is partitioned by, such as "day(_time)" or "bucket(16, user)"')
    .option('--sort-by <fields>', 'what an Iceberg table is sorted by, comma-separated', parseFields);
}

/** Durations begin with P, as ISO 8601 has it; a field of such a name can be given over HTTP. */
function parseTtl(text: string): NonNullable<StreamSettings['ttl']> {
  return /^PT?\d/.test(text) ? text : { field: text };
}

export function streamSettings(options: StreamOptions): StreamSettings {
  const { kind, key, time, embed, search, schema, partitions, history, retention, ttl } = options;
  const table = tableSettings(options);
  return {
    kind: kind ?? (key === undefined ? 'append' : 'upsert'),
    ...(key === undefined ? {} : { key: key.length === 1 ? key[0] : key }),
    ...(time === undefined ? {} : { time }),
    ...(embed === undefined ? {} : { embed: { fields: embed } }),
    ...(search === undefined ? {} : { search: { fields: search } }),
    ...(schema === undefined ? {} : { schema }),
    ...(partitions === undefined ? {} : { partitions }),
    ...(history === undefined ? {} : { history }),
    ...(retention === undefined ? {} : { retention }),
    ...(ttl === undefined ? {} : { ttl }),
    ...(table === undefined ? {} : { table }),
  };
}

function tableSettings({ tableFormat, partitionBy, sortBy }: StreamOptions): StreamSettings['table'] {
  if (tableFormat === undefined && partitionBy === undefined && sortBy === undefined) return undefined;
  return {
    ...(tableFormat === undefined ? {} : { format: tableFormat }),
    ...(partitionBy === undefined ? {} : { partitionBy }),
    ...(sortBy === undefined ? {} : { sortBy }),
  };
}

/** Whether the user said anything about how the stream should be. */
export function saysAnything(options: StreamOptions): boolean {
  const { kind, key, time, embed, search, schema, partitions, history, retention, ttl } = options;
  const said = [kind, key, time, embed, search, schema, partitions, history, retention, ttl, tableSettings(options)];
  return said.some(each => each !== undefined);
}
