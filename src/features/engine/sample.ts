import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../base/index.ts';
import type { Pinned } from '../../snapshot/index.ts';
import { evaluateView } from '../evaluate.ts';
import { sweepOf } from '../historical/sweep.ts';
import type { ViewPlan } from '../plan.ts';
import type { ViewPlanAnswer } from './engine-types.ts';
import type { LiveView } from './live-view.ts';
import { readNext } from './read-source.ts';

const DEADLINE_MS = 10_000;

/** The values of some entities by the definition that serves and by another, at one instant. Reads the whole stream. */
export async function sampleDifferences(
  live: LiveView,
  next: ViewPlan,
  pinned: Pinned,
  entities: number,
  clock: Clock,
): Promise<Pick<ViewPlanAnswer, 'differences' | 'sampledEntities'>> {
  const atMs = pinned.throughTimeMs;
  const before = await live.at(undefined, clock.nowMs() + DEADLINE_MS, state =>
    [...state.entities()]
      .slice(0, entities)
      .map(([entity]) => ({ entity, answers: evaluateView(live.plan, state.entity(entity), atMs) })),
  );
  const spine = before.map(({ entity }, index) => ({ index, entity, timeMs: atMs, values: {} }));
  const sweep = sweepOf(next, spine, { upsert: live.source.kind === 'upsert', asSeen: false });
  const offsets: number[] = [];
  for (let events = await readNext(pinned, offsets); events.length > 0; events = await readNext(pinned, offsets)) {
    for (const event of events) sweep.apply(event);
  }
  const after = sweep.finish();
  const differences = before.flatMap(({ entity, answers }, index) =>
    Object.keys(answers)
      .filter(feature => feature in after[index] && !isDeepStrictEqual(answers[feature].value, after[index][feature]))
      .map(feature => ({ entity, feature, before: answers[feature].value, after: after[index][feature] })),
  );
  return { differences, sampledEntities: before.length };
}
