import type { Freshness } from '../../src/snapshot/index.ts';
import { decodeToken } from '../../src/streams/index.ts';
import type { StreamModel } from './stream-model.ts';
import { must } from './violation.ts';
import type { World } from './world.ts';

/** Every fact that an answer states about itself is true of the segment it is of. */
export function checkFreshness(
  world: World,
  model: StreamModel,
  segment: number,
  { freshness, token }: { freshness: Freshness; token: string },
  nowMs: number,
): void {
  const { truth } = world;
  const [position] = decodeToken(token).streams;
  const state = position.tableState === null ? undefined : truth.stateOf(position.incarnation, position.tableState);
  const facts = (): object => ({ stream: model.definition.name, segment, position, freshness, logSeq: state?.logSeq });
  must(position.incarnation === model.definition.incarnation, 'a token names its stream', facts);
  must((position.tableState === null) === (state === undefined), 'a token names a table state that was committed', facts);
  const logSeq = state?.logSeq ?? 0;
  must(logSeq <= segment, 'the table of an answer holds nothing newer than the answer', facts);
  const none = model.partitions.map(() => -1);
  must(String(freshness.watermark) === String(state?.watermark ?? none), 'freshness names the table’s watermark', facts);
  const heads = model.headsAt(segment);
  must(String(freshness.head) === String(heads), 'freshness names the heads', facts);
  must(String(position.heads) === String(heads), 'a token names the heads', facts);
  const count = model.countAt(segment);
  must(freshness.tailRows === count - model.countAt(logSeq), 'freshness counts the rows of the tail', facts);
  const newest = count === 0 ? null : Math.max(0, nowMs - model.records[count - 1].ingestedAtMs);
  must(freshness.newestAgeMs === newest, 'freshness knows the age of the newest record', () => ({ ...facts(), newest }));
  const asOf = new Date(truth.commitTimeOf(segment)).toISOString();
  // Of a segment that is collected the exact time may be forgotten; then an earlier one is named.
  const known = freshness.asOf === asOf || (segment < truth.logFloor && freshness.asOf < asOf);
  must(known, 'freshness knows the time of its instant', () => ({ ...facts(), asOf }));
  must(freshness.complete === (freshness.skipped.length === 0), 'complete means that nothing was skipped', facts);
}
