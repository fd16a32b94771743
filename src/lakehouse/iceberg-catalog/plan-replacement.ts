import type { Id, JsonMap } from '../iceberg/exact-json.ts';
import type { TableCommit } from './plan-commit.ts';
import { has, idAt, mapAt, textAt, textMapAt } from './reading.ts';
import { checkRequirements, conflict } from './requirements.ts';
import type { Metadata } from './types.ts';

/** The only commit of another engine that the table of a stream takes: the same rows in other files. */
export interface PlannedReplacement {
  manifestList: string;
  snapshot: { id: Id; summary: Record<string, string> };
}

/** Of summaries, what only Tailwater says. */
const OWN_PREFIX = 'tailwater.';

/** `name`: of the table, for people. Pure: TW_COMMIT_CONFLICT for every other commit and for one on another snapshot; TW_BAD_REQUEST. */
export function planReplacement(base: Metadata, { requirements, updates }: TableCommit, name: string): PlannedReplacement {
  const refused = (problem: string): Error =>
    conflict(
      `"${name}" is the table of a stream, which Tailwater alone writes: append records to the stream instead. ${problem}`,
    );
  const [add, ref, ...others] = updates;
  const actions = updates.map(update => textAt(update, 'action'));
  if (others.length > 0 || actions[0] !== 'add-snapshot' || actions[1] !== 'set-snapshot-ref') {
    throw refused('Other engines may rewrite its files, and change nothing else.');
  }
  const snapshot = mapAt(add, 'snapshot');
  const summary = textMapAt(snapshot, 'summary');
  if (summary.operation !== 'replace') {
    throw refused(`Other engines may rewrite its files, which "${String(summary.operation).slice(0, 50)}" is not.`);
  }
  const id = idAt(snapshot, 'snapshot-id');
  if (textAt(ref, 'ref-name') !== 'main' || textAt(ref, 'type') !== 'branch' || idAt(ref, 'snapshot-id') !== id) {
    throw refused('It has one branch, "main", which becomes the new snapshot.');
  }
  checkRequirements(requirements, base);
  checkBase(base, snapshot, id);
  return {
    manifestList: textAt(snapshot, 'manifest-list'),
    snapshot: { id, summary: Object.fromEntries(Object.entries(summary).filter(([key]) => !key.startsWith(OWN_PREFIX))) },
  };
}

/** Whatever the requirements say: it must have been planned on the current snapshot, with the table's schema. */
function checkBase(base: Metadata, snapshot: JsonMap, id: Id): void {
  const current = base['current-snapshot-id'];
  const parent = has(snapshot, 'parent-snapshot-id') ? idAt(snapshot, 'parent-snapshot-id') : null;
  if (parent !== current) throw conflict(`The snapshot follows ${parent ?? 'none'}, the table is at ${current}.`);
  if (base.snapshots.some(each => each['snapshot-id'] === id)) throw conflict(`The table has a snapshot ${id} already.`);
  if (has(snapshot, 'schema-id') && snapshot['schema-id'] !== base['current-schema-id']) {
    throw conflict(`The table has schema ${base['current-schema-id']} now.`);
  }
}
