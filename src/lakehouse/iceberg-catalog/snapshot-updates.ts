import type { Id, JsonMap } from '../iceberg/exact-json.ts';
import { change, type Draft } from './draft.ts';
import { has, idAt, idsAt, integerAt, mapAt, refuse, textAt, textMapAt } from './reading.ts';
import { conflict } from './requirements.ts';
import type { LogEntry, RefJson, SnapshotJson } from './types.ts';

const MAIN = 'main';

/** TW_COMMIT_CONFLICT when the snapshot was numbered before another one came. */
export function addSnapshot(draft: Draft, update: JsonMap): void {
  const { metadata } = draft;
  const snapshot = mapAt(update, 'snapshot');
  const [id, sequence, timestampMs] = [
    idAt(snapshot, 'snapshot-id'),
    idAt(snapshot, 'sequence-number'),
    integerAt(snapshot, 'timestamp-ms'),
  ];
  textAt(snapshot, 'manifest-list');
  textAt(mapAt(snapshot, 'summary'), 'operation');
  textMapAt(snapshot, 'summary');
  if (metadata.snapshots.some(each => each['snapshot-id'] === id)) refuse(`The table has a snapshot ${id} already.`);
  if (has(snapshot, 'schema-id')) requireSchema(draft, integerAt(snapshot, 'schema-id'));
  if (BigInt(sequence) <= BigInt(metadata['last-sequence-number'])) {
    throw conflict(`Sequence number ${sequence} is taken: the table is at ${metadata['last-sequence-number']}.`);
  }
  draft.addedSnapshots.add(id);
  change(draft, {
    'last-sequence-number': sequence,
    'last-updated-ms': Math.max(metadata['last-updated-ms'], timestampMs),
    snapshots: [...metadata.snapshots, snapshot as unknown as SnapshotJson],
  });
}

function requireSchema(draft: Draft, id: number): void {
  if (!draft.metadata.schemas.some(each => each['schema-id'] === id)) refuse(`The table has no schema ${id}.`);
}

export function setRef(draft: Draft, update: JsonMap): void {
  const { metadata } = draft;
  const [name, type, id] = [textAt(update, 'ref-name'), textAt(update, 'type'), idAt(update, 'snapshot-id')];
  const snapshot = metadata.snapshots.find(each => each['snapshot-id'] === id) ?? refuse(`The table has no snapshot ${id}.`);
  if (type !== 'branch' && type !== 'tag') refuse('"type" of a reference must be branch or tag.');
  if (name === MAIN && type !== 'branch') refuse('"main" is a branch.');
  const rest = Object.entries(update).filter(([key, value]) => !['action', 'ref-name'].includes(key) && value !== null);
  const ref = Object.fromEntries(rest) as RefJson;
  change(draft, { refs: { ...metadata.refs, [name]: ref } });
  if (name !== MAIN || metadata['current-snapshot-id'] === id) return;
  const timestampMs = draft.addedSnapshots.has(id) ? snapshot['timestamp-ms'] : draft.nowMs;
  const entry: LogEntry = { 'snapshot-id': id, 'timestamp-ms': timestampMs };
  change(draft, { 'current-snapshot-id': id, 'snapshot-log': [...metadata['snapshot-log'], entry] });
}

export function removeRef(draft: Draft, update: JsonMap): void {
  const name = textAt(update, 'ref-name');
  const refs = Object.entries(draft.metadata.refs).filter(([each]) => each !== name);
  change(draft, { refs: Object.fromEntries(refs) });
  if (name === MAIN) change(draft, { 'current-snapshot-id': -1 });
}

/** With the references to them. What the log says before a snapshot that is gone is no history any more. */
export function removeSnapshots(draft: Draft, update: JsonMap): void {
  const { metadata } = draft;
  const gone = new Set<Id>(idsAt(update, 'snapshot-ids'));
  if (gone.has(metadata['current-snapshot-id'])) refuse('The current snapshot cannot be removed.');
  const kept = metadata.snapshots.filter(each => !gone.has(each['snapshot-id']));
  const keptIds = new Set(kept.map(each => each['snapshot-id']));
  const lastGone = metadata['snapshot-log'].findLastIndex(entry => !keptIds.has(entry['snapshot-id']));
  const refs = Object.entries(metadata.refs).filter(([, ref]) => keptIds.has(ref['snapshot-id']));
  change(draft, {
    snapshots: kept,
    refs: Object.fromEntries(refs),
    'snapshot-log': metadata['snapshot-log'].slice(lastGone + 1),
    statistics: metadata.statistics.filter(each => keptIds.has(each['snapshot-id'] as Id)),
    'partition-statistics': metadata['partition-statistics'].filter(each => keptIds.has(each['snapshot-id'] as Id)),
  });
}

export function setStatistics(draft: Draft, update: JsonMap, member: 'statistics' | 'partition-statistics'): void {
  const statistics = mapAt(update, member);
  const id = idAt(statistics, 'snapshot-id');
  const others = draft.metadata[member].filter(each => each['snapshot-id'] !== id);
  change(draft, { [member]: [...others, statistics] });
}

export function removeStatistics(draft: Draft, update: JsonMap, member: 'statistics' | 'partition-statistics'): void {
  const id = idAt(update, 'snapshot-id');
  change(draft, { [member]: draft.metadata[member].filter(each => each['snapshot-id'] !== id) });
}
