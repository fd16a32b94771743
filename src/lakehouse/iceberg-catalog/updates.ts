import type { JsonMap } from '../iceberg/exact-json.ts';
import { change, type Draft } from './draft.ts';
import * as layout from './layout-updates.ts';
import { integerAt, refuse, textAt, textMapAt, textsAt } from './reading.ts';
import * as snapshots from './snapshot-updates.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Every update of the catalog's protocol that a table of format version 2 can have. */
const UPDATES: Readonly<Record<string, (draft: Draft, update: JsonMap) => void>> = {
  'assign-uuid': assignUuid,
  'upgrade-format-version': upgradeFormat,
  'add-schema': layout.addSchema,
  'set-current-schema': layout.setCurrentSchema,
  'remove-schemas': layout.removeSchemas,
  'add-spec': layout.addSpec,
  'set-default-spec': layout.setDefaultSpec,
  'remove-partition-specs': layout.removeSpecs,
  'add-sort-order': layout.addSortOrder,
  'set-default-sort-order': layout.setDefaultSortOrder,
  'add-snapshot': snapshots.addSnapshot,
  'set-snapshot-ref': snapshots.setRef,
  'remove-snapshot-ref': snapshots.removeRef,
  'remove-snapshots': snapshots.removeSnapshots,
  'set-location': (draft, update) => change(draft, { location: textAt(update, 'location').replace(/\/+$/, '') }),
  'set-properties': setProperties,
  'remove-properties': removeProperties,
  'set-statistics': (draft, update) => snapshots.setStatistics(draft, update, 'statistics'),
  'remove-statistics': (draft, update) => snapshots.removeStatistics(draft, update, 'statistics'),
  'set-partition-statistics': (draft, update) => snapshots.setStatistics(draft, update, 'partition-statistics'),
  'remove-partition-statistics': (draft, update) => snapshots.removeStatistics(draft, update, 'partition-statistics'),
};

/** In their order. TW_BAD_REQUEST for one that is not known, or that says what cannot be. */
export function applyUpdates(draft: Draft, updates: readonly JsonMap[]): void {
  for (const update of updates) {
    const action = textAt(update, 'action');
    if (!Object.hasOwn(UPDATES, action)) refuse(`The update "${action.slice(0, 100)}" is not known.`);
    UPDATES[action](draft, update);
  }
}

function assignUuid(draft: Draft, update: JsonMap): void {
  const uuid = textAt(update, 'uuid').toLowerCase();
  if (!UUID.test(uuid)) refuse(`"${uuid.slice(0, 100)}" is not a UUID.`);
  const before = draft.metadata['table-uuid'];
  if (before !== '' && before !== uuid) refuse(`The table has the UUID ${before}, which cannot change.`);
  change(draft, { 'table-uuid': uuid });
}

function upgradeFormat(_draft: Draft, update: JsonMap): void {
  checkFormat(integerAt(update, 'format-version'));
}

/** Every table has format version 2. */
export function checkFormat(version: number): void {
  if (version !== 2) refuse(`Tables are kept in Iceberg's format version 2; version ${version} is not supported.`);
}

function setProperties(draft: Draft, update: JsonMap): void {
  const properties = textMapAt(update, 'updates' in update ? 'updates' : 'updated');
  change(draft, { properties: { ...draft.metadata.properties, ...properties } });
}

function removeProperties(draft: Draft, update: JsonMap): void {
  const gone = new Set(textsAt(update, 'removals' in update ? 'removals' : 'removed'));
  const kept = Object.entries(draft.metadata.properties).filter(([name]) => !gone.has(name));
  change(draft, { properties: Object.fromEntries(kept) });
}
