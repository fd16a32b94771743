import type { TableState } from '../table-types.ts';

/** How many records had expired: rises with every state, so that it tells whether one still has what another had. */
export function expiredCount(state: TableState): number {
  return state.expired?.count ?? 0;
}

/** The lowest offset of a partition that can be read as a stream: from it on, no record has expired. */
export function earliestOffset(state: TableState | null | undefined, partition: number): number {
  return (state?.expired?.through[partition] ?? -1) + 1;
}
