import type { JsonMap } from '../iceberg/exact-json.ts';
import { change, draftOf } from './draft.ts';
import { has, mapAt, mapsAt, refuse, textMapAt } from './reading.ts';
import { assertsCreation, checkRequirements, conflict } from './requirements.ts';
import { renumberedId, schemaOf, withFreshIds } from './schemas.ts';
import { blankMetadata, type Metadata } from './types.ts';
import { applyUpdates, checkFormat } from './updates.ts';

/** Earlier metadata files that a metadata file lists, unless the table says otherwise. */
const DEFAULT_PREVIOUS_VERSIONS = 100;

export interface TableCommit {
  requirements: JsonMap[];
  updates: JsonMap[];
}

/** TW_BAD_REQUEST. */
export function commitOf(body: JsonMap): TableCommit {
  return { requirements: mapsAt(body, 'requirements'), updates: mapsAt(body, 'updates') };
}

/**
 * What the table becomes. `base`: what it is, null when there is none. Pure: TW_COMMIT_CONFLICT and TW_TABLE_EXISTS when a requirement does not
 * hold, TW_BAD_REQUEST for what cannot be done; TW_COMMIT_CONFLICT also where the table is gone.
 */
export function planCommit(base: Metadata | null, commit: TableCommit, nowMs: number): Metadata {
  checkRequirements(commit.requirements, base);
  if (base === null && !assertsCreation(commit.requirements)) throw conflict('The table does not exist.');
  const draft = draftOf(base ?? blankMetadata(), nowMs);
  applyUpdates(draft, commit.updates);
  const { metadata } = draft;
  if (base === null) requireWhole(metadata);
  return { ...metadata, 'last-updated-ms': Math.max(metadata['last-updated-ms'], nowMs) };
}

/** With the file of the version before among those listed; `unlisted` are the addresses of those that this pushes out. */
export function withPrevious(
  metadata: Metadata,
  previous: { uri: string; timestampMs: number } | null,
): { listed: Metadata; unlisted: string[] } {
  if (previous === null) return { listed: metadata, unlisted: [] };
  const log = [...metadata['metadata-log'], { 'metadata-file': previous.uri, 'timestamp-ms': previous.timestampMs }];
  const given = Math.floor(Number(metadata.properties['write.metadata.previous-versions-max']));
  const kept = log.slice(-(given >= 1 ? given : DEFAULT_PREVIOUS_VERSIONS));
  const unlisted = log.slice(0, log.length - kept.length).map(entry => entry['metadata-file']);
  return { listed: { ...metadata, 'metadata-log': kept }, unlisted };
}

function requireWhole(metadata: Metadata): void {
  if (metadata['table-uuid'] === '') refuse('A new table needs "assign-uuid".');
  if (metadata.location === '') refuse('A new table needs "set-location".');
  if (metadata['current-schema-id'] < 0) refuse('A new table needs a current schema.');
  if (metadata['default-spec-id'] < 0) refuse('A new table needs a default partition spec.');
  if (metadata['default-sort-order-id'] < 0) refuse('A new table needs a default sort order.');
}

/** The first metadata of a table that a client wants: columns, partition and sort fields get ids of their own. TW_BAD_REQUEST. */
export function planCreation(body: JsonMap, table: { uuid: string; location: string }, nowMs: number): Metadata {
  const { struct, renumbered } = withFreshIds(schemaOf(body));
  const resourced = (fields: JsonMap[]): JsonMap[] =>
    fields.map(field => ({ ...field, 'source-id': renumberedId(renumbered, field['source-id']) }));
  const spec = has(body, 'partition-spec') ? resourced(mapsAt(mapAt(body, 'partition-spec'), 'fields')) : [];
  const order = has(body, 'write-order') ? resourced(mapsAt(mapAt(body, 'write-order'), 'fields')) : [];
  const { 'format-version': format, ...properties } = has(body, 'properties') ? textMapAt(body, 'properties') : {};
  if (format !== undefined) checkFormat(Number(format));
  const draft = draftOf(blankMetadata(), nowMs);
  change(draft, { 'table-uuid': table.uuid, location: table.location, properties });
  applyUpdates(draft, [
    { action: 'add-schema', schema: struct },
    { action: 'set-current-schema', 'schema-id': -1 },
    { action: 'add-spec', spec: { fields: spec.map(({ 'field-id': _given, ...field }) => field) } },
    { action: 'set-default-spec', 'spec-id': -1 },
    { action: 'add-sort-order', 'sort-order': { fields: order } },
    { action: 'set-default-sort-order', 'sort-order-id': -1 },
  ]);
  return { ...draft.metadata, 'last-updated-ms': nowMs };
}
