import { TailwaterError } from '../../base/index.ts';
import type { Pinned } from '../../snapshot/index.ts';
import { entityOfRequest, entityOfValue } from '../state/entity-key.ts';
import { ViewState } from '../state/view-state.ts';
import type { OnlineAnswer, OnlineRequest } from './engine-types.ts';
import type { LiveView } from './live-view.ts';
import { onlineEntities } from './online-request.ts';
import { readNext } from './read-source.ts';

/** A view that is about to be read, with what is asked of it. */
export interface ViewReading {
  name: string;
  live: LiveView;
  request: OnlineRequest;
}

/** The state of a view that is held, at a pinned instant that it has not passed. */
export type Reach = (reading: ViewReading, pinned: Pinned, deadlineAtMs: number) => Promise<ViewState>;

type ReachOne = (pinned: Pinned, deadlineAtMs: number) => Promise<ViewState>;

/** One after another, always in the same order: who holds all of them waits for nobody who waits for it. */
export function holdAll<T>(
  lives: readonly LiveView[],
  held: Map<LiveView, ReachOne>,
  work: (reach: Reach) => Promise<T>,
): Promise<T> {
  const [first, ...rest] = lives;
  if (first === undefined) return work(({ live }, pinned, deadlineAtMs) => held.get(live)!(pinned, deadlineAtMs));
  return first.hold(reach => holdAll(rest, held.set(first, reach), work));
}

/**
 * Values at a pinned instant, windows ending at `atMs`. Without a state, they are folded from the records of the instant, all of which are
 * read. Throws TW_HISTORY_EXPIRED when some of them are gone.
 */
export async function readView(
  { live, request }: ViewReading,
  pinned: Pinned,
  atMs: number,
  state: ViewState | null,
): Promise<OnlineAnswer['entities']> {
  return onlineEntities(live.plan, state ?? (await folded(live, request, pinned)), atMs, request);
}

async function folded(live: LiveView, { entities }: OnlineRequest, pinned: Pinned): Promise<ViewState> {
  const upsert = live.source.kind === 'upsert';
  const state = new ViewState(live.plan, { upsert, keepsAll: true });
  const asked = new Set(entities.map(entity => entityOfRequest(live.plan.entity, entity)));
  const next: number[] = [];
  const onGap = (): never => {
    throw new TailwaterError('TW_HISTORY_EXPIRED', {
      detail: `Records of "${live.source.name}" that the features of this moment are made of are no longer kept.`,
    });
  };
  for (let events = await readNext(pinned, next, onGap); events.length > 0; events = await readNext(pinned, next, onGap)) {
    for (const event of events) {
      const entity = event.value === null ? null : entityOfValue(live.plan.entity, event.value);
      // In upsert streams a record of another entity may replace one of these.
      if (upsert || (entity !== null && asked.has(entity))) state.apply(event);
    }
  }
  return state;
}
