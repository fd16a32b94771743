import { type Command, Option } from 'commander';
import type { JsonObject } from '../base/index.ts';
import type { StreamChanges, StreamKind, StreamSettings, TableFormat } from '../streams/index.ts';
import { parseCount, parseFields, parseJsonObject, parseRetention, parseTime } from './arguments.ts';

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
  retention?: NonNullable<StreamSettings['retention']>;
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
    .option(
      '--retention <duration or bytes>',
      'how long records are kept, or how many bytes of them, such as P30D or 10GiB',
      parseRetention,
    )
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

/** What `streams change` may say; `default` takes a setting back to its default. */
export interface ChangeOptions {
  history?: string;
  retention?: OrDefault<StreamSettings['retention']>;
  ttl?: OrDefault<StreamSettings['ttl']>;
  maintenance?: OrDefault<StreamSettings['maintenance']>;
}

/** Commander keeps no null. */
type OrDefault<T> = NonNullable<T> | typeof DEFAULT;

const DEFAULT = 'default';

export function addChangeOptions(command: Command): Command {
  return command
    .option('--history <duration>', 'how long superseded versions are kept, or default')
    .option(
      '--retention <duration or bytes>',
      'how long records are kept, how many bytes of them, or default',
      orDefault(parseRetention),
    )
    .option(
      '--ttl <duration or field>',
      'how long after its event time a row expires, the field that says when, or default',
      orDefault(parseTtl),
    )
    .option('--maintenance <json>', 'when work on the table pays, or default', orDefault(parseJsonObject));
}

export function streamChanges({ history, retention, ttl, maintenance }: ChangeOptions): StreamChanges {
  return {
    ...(history === undefined ? {} : { history: history === DEFAULT ? null : history }),
    ...(retention === undefined ? {} : { retention: retention === DEFAULT ? null : retention }),
    ...(ttl === undefined ? {} : { ttl: ttl === DEFAULT ? null : ttl }),
    ...(maintenance === undefined ? {} : { maintenance: maintenance === DEFAULT ? null : maintenance }),
  };
}

function orDefault<T>(parse: (text: string) => T): (text: string) => T | typeof DEFAULT {
  return text => (text === DEFAULT ? text : parse(text));
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
