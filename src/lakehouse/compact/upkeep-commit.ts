import { AdditiveHash, randomId, TailwaterError } from '../../base/index.ts';
import { successorFault } from '../states/successor.ts';
import type { TableState } from '../table-types.ts';
import type { Attempt } from './attempts.ts';
import type { TableWork } from './settings.ts';

export async function latestState(work: Pick<TableWork, 'definition' | 'states'>): Promise<TableState> {
  const state = await work.states.latest();
  if (state === null)
    throw new TailwaterError('TW_DATA_DAMAGED', { detail: `The table of ${work.definition.name} has lost its states.` });
  return state;
}

export async function commitUpkeep(
  work: Pick<TableWork, 'definition' | 'states' | 'logger'>,
  base: TableState,
  next: TableState,
): Promise<Attempt<boolean>> {
  const fault = successorFault(base, next, new AdditiveHash());
  if (fault !== null)
    throw new TailwaterError('TW_COMPACTION_FAILED', { detail: `The planned table state is not sound: ${fault}.` });
  if ((await work.states.commit(next)) === 'lost') return { kind: 'lost' };
  work.logger?.info({ stream: work.definition.name, n: next.n, kind: next.kind, ...next.summary }, 'maintained');
  return { kind: 'done', value: true };
}

export function commitFacts(
  work: Pick<TableWork, 'clock' | 'random'>,
  startedMs: number,
): { attemptId: string; committedAtMs: number; milliseconds: number } {
  const nowMs = work.clock.nowMs();
  return { attemptId: randomId(work.random), committedAtMs: nowMs, milliseconds: nowMs - startedMs };
}
