import { isDeeperThan, isJsonObject, type JsonObject, TailwaterError } from '../../base/index.ts';
import type { ChunkSettings, EmbedSettings, MaintenanceSettings, StreamDefinition, TimeUnit } from '../definition.ts';
import { CHUNK_DEFAULTS, chunkSettings, requireDocumentStream } from './document-settings.ts';
import { parseDurationMs } from './duration.ts';
import { tableDefinition } from './table-settings.ts';

/** A definition without what the catalog adds: two settings are the same when these are equal. */
export type NormalSettings = Omit<StreamDefinition, 'name' | 'incarnation' | 'createdAtMs'>;

const MAX_PARTITIONS = 256;
const MAX_DIMENSIONS = 4096;
const MAX_FIELDS = 64;
const MAX_PATH_LENGTH = 512;
const MAX_COLOCATE_LENGTH = 200;
const MAX_SCHEMA_LENGTH = 256 * 1024;
const MAX_SCHEMA_DEPTH = 256;
const DEFAULT_HISTORY = 'P7D';
const FOR_EVER = 'forever';
const HASH = { provider: 'hash', model: 'hash-v1', dimensions: 384 };
/** Records bring their vectors; whose these are is for their writer to say. */
const GIVEN = { provider: 'given', model: 'given' };
const TIME_UNITS: readonly TimeUnit[] = ['s', 'ms', 'us'];

const PROPERTIES = [
  'kind',
  'key',
  'time',
  'schema',
  'partitions',
  'colocate',
  'embed',
  'search',
  'table',
  'history',
  'retention',
  'ttl',
  'maintenance',
  'documents',
];

/** Checks what a user says about a stream and fills in every default. TW_BAD_REQUEST names the first property that is wrong. */
export function normaliseSettings(settings: unknown): NormalSettings {
  const given = objectOf(settings, 'settings', PROPERTIES);
  if (given.kind !== 'append' && given.kind !== 'upsert') throw bad('kind', 'must be "append" or "upsert"');
  const normal: NormalSettings = {
    kind: given.kind,
    key: given.key === undefined ? null : fieldsOf(typeof given.key === 'string' ? [given.key] : given.key, 'key'),
    time: given.time === undefined ? null : timeOf(given.time),
    schema: given.schema === undefined ? null : schemaOf(given.schema),
    partitions: given.partitions === undefined ? 1 : integerOf(given.partitions, 'partitions', MAX_PARTITIONS),
    colocate: given.colocate === undefined ? null : textOf(given.colocate, 'colocate', MAX_COLOCATE_LENGTH),
    embed: given.embed === undefined ? null : embedOf(given.embed),
    search:
      given.search === undefined
        ? null
        : { fields: fieldsOf(objectOf(given.search, 'search', ['fields']).fields, 'search.fields') },
    table: tableDefinition(
      given.table === undefined ? {} : objectOf(given.table, 'table', ['format', 'partitionBy', 'sortBy']),
      {
        searchable: given.embed !== undefined || given.search !== undefined,
        schema: given.schema === undefined ? null : schemaOf(given.schema),
      },
      bad,
    ),
    historyMs: durationOf(given.history ?? DEFAULT_HISTORY, 'history'),
    ...retentionOf(given.retention),
    ...(given.ttl === undefined ? {} : { ttl: ttlOf(given.ttl) }),
    ...(given.maintenance === undefined ? {} : { maintenance: maintenanceOf(given.maintenance) }),
    ...(given.documents === undefined ? {} : { documents: chunkSettings(given.documents, CHUNK_DEFAULTS, bad) }),
  };
  requireDocumentStream(normal, bad);
  return normal;
}

const CHANGEABLE = ['history', 'retention', 'ttl', 'maintenance'];

/** The definition with some settings changed, checked as when it was made; null takes one back to its default. TW_BAD_REQUEST. */
export function changedDefinition(definition: StreamDefinition, changes: unknown): StreamDefinition {
  const given = objectOf(changes, 'changes', CHANGEABLE);
  const { historyMs, retentionMs, retentionBytes, ttl, maintenance, ...same } = definition;
  const keptRetention = { retentionMs, ...(retentionBytes === undefined ? {} : { retentionBytes }) };
  const newTtl = given.ttl === undefined ? ttl : given.ttl === null ? undefined : ttlOf(given.ttl);
  const { maintenance: asked = maintenance } = given;
  const changed: StreamDefinition = {
    ...same,
    historyMs: given.history === undefined ? historyMs : durationOf(given.history ?? DEFAULT_HISTORY, 'history'),
    ...(given.retention === undefined ? keptRetention : retentionOf(given.retention ?? undefined)),
    ...(newTtl === undefined ? {} : { ttl: newTtl }),
    ...(asked === undefined || asked === null ? {} : { maintenance: maintenanceOf(asked) }),
  };
  requireDocumentStream(changed, bad);
  return changed;
}

/** The stream's settings with what a request says about its own document. TW_BAD_REQUEST. */
export function requestedChunks(settings: ChunkSettings, given: unknown = {}): ChunkSettings {
  return chunkSettings(given, settings, bad);
}

function maintenanceOf(maintenance: unknown): MaintenanceSettings {
  const given = objectOf(maintenance, 'maintenance', ['compactionsPerOptimize', 'unindexedTextRows', 'unindexedVectorRows']);
  const limits = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(limits.map(([name, value]) => [name, integerOf(value, `maintenance.${name}`, 1_000_000_000)]));
}

function timeOf(time: unknown): StreamDefinition['time'] {
  if (typeof time === 'string') return { field: textOf(time, 'time', MAX_PATH_LENGTH), unit: 'ms' };
  const { field, unit } = objectOf(time, 'time', ['field', 'unit']);
  const known = TIME_UNITS.find(name => name === unit);
  if (known === undefined) throw bad('time.unit', `must be one of ${TIME_UNITS.map(name => `"${name}"`).join(', ')}`);
  return { field: textOf(field, 'time.field', MAX_PATH_LENGTH), unit: known };
}

function schemaOf(schema: unknown): JsonObject {
  if (!isJsonObject(schema)) throw bad('schema', 'must be a JSON Schema, as an object');
  if (isDeeperThan(schema, MAX_SCHEMA_DEPTH)) throw bad('schema', `is nested deeper than ${MAX_SCHEMA_DEPTH} levels`);
  const text = JSON.stringify(schema);
  if (text.length > MAX_SCHEMA_LENGTH)
    throw bad('schema', `has ${text.length} characters; at most ${MAX_SCHEMA_LENGTH} are allowed`);
  return JSON.parse(text) as JsonObject;
}

function embedOf(embed: unknown): EmbedSettings {
  const given = objectOf(embed, 'embed', ['fields', 'provider', 'model', 'dimensions']);
  const fields = fieldsOf(given.fields, 'embed.fields');
  const provider = given.provider === undefined ? HASH.provider : textOf(given.provider, 'embed.provider', 100);
  const known: Partial<EmbedSettings> = [HASH, GIVEN].find(own => own.provider === provider) ?? {};
  const { model = known.model, dimensions = known.dimensions } = given;
  if (model === undefined) throw bad('embed.model', `must be given for provider "${provider}"`);
  if (dimensions === undefined) throw bad('embed.dimensions', `must be given for provider "${provider}"`);
  if (provider === GIVEN.provider && fields.length !== 1)
    throw bad('embed.fields', 'must name the one field that holds the vector');
  return {
    fields,
    provider,
    model: textOf(model, 'embed.model', 200),
    dimensions: integerOf(dimensions, 'embed.dimensions', MAX_DIMENSIONS),
  };
}

function retentionOf(retention: unknown): Pick<StreamDefinition, 'retentionMs' | 'retentionBytes'> {
  if (!isJsonObject(retention)) return { retentionMs: durationOf(retention ?? FOR_EVER, 'retention') };
  const { age, bytes } = objectOf(retention, 'retention', ['age', 'bytes']);
  return {
    retentionMs: durationOf(age ?? FOR_EVER, 'retention.age'),
    ...(bytes === undefined ? {} : { retentionBytes: integerOf(bytes, 'retention.bytes', Number.MAX_SAFE_INTEGER) }),
  };
}

function ttlOf(ttl: unknown): NonNullable<StreamDefinition['ttl']> {
  if (isJsonObject(ttl)) return { field: textOf(objectOf(ttl, 'ttl', ['field']).field, 'ttl.field', MAX_PATH_LENGTH) };
  const ms = durationOf(ttl, 'ttl');
  if (ms === null) throw bad('ttl', 'must be a duration or {"field": name}; leave it out for rows that do not expire');
  return { ms };
}

function durationOf(duration: unknown, path: string): number | null {
  if (duration === FOR_EVER) return null;
  const ms = typeof duration === 'string' ? parseDurationMs(duration) : null;
  if (ms === null)
    throw bad(path, 'must be "forever" or an ISO 8601 duration without years and months, such as "P7D" or "PT12H"');
  if (ms === 0) throw bad(path, 'must be longer than zero');
  return ms;
}

function fieldsOf(fields: unknown, path: string): string[] {
  if (!Array.isArray(fields) || fields.length === 0 || fields.length > MAX_FIELDS) {
    throw bad(path, `must name 1 to ${MAX_FIELDS} fields`);
  }
  const names = fields.map((field, index) => textOf(field, `${path}[${index}]`, MAX_PATH_LENGTH));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw bad(path, `names "${twice}" twice`);
  return names;
}

function integerOf(value: unknown, path: string, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > max)
    throw bad(path, `must be an integer from 1 to ${max}`);
  return value;
}

function textOf(value: unknown, path: string, maxLength: number): string {
  if (typeof value === 'string' && value.length >= 1 && value.length <= maxLength) return value;
  throw bad(path, `must be a text of 1 to ${maxLength} characters`);
}

function objectOf(value: unknown, path: string, properties: readonly string[]): Record<string, unknown> {
  if (!isJsonObject(value)) throw bad(path, 'must be an object');
  const unknown = Object.keys(value).find(name => !properties.includes(name));
  if (unknown !== undefined)
    throw bad(path, `has the unknown property "${unknown.slice(0, 100)}"; known are ${properties.join(', ')}`);
  return value;
}

function bad(path: string, problem: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail: `${path}: ${problem}.`, data: { path } });
}
