import type { StreamDefinition } from '../../streams/index.ts';
import type { TableState } from '../table-types.ts';
import { COMPACTION_DEFAULTS, type CompactionSettings } from './settings.ts';

/** What would make the table faster or more complete, each a commit of its own that changes no row (C5, C7). */
export interface Upkeep {
  fillVectors: boolean;
  textIndex: boolean;
  vectorIndex: boolean;
  compactFragments: boolean;
}

/** Whether searching the texts of the table is slow until its index is refreshed, which is due then. */
export function lacksTextIndex(
  definition: StreamDefinition,
  state: TableState,
  limits: Pick<CompactionSettings, 'unindexedTextRows' | 'unindexedTextShare'> = {
    ...COMPACTION_DEFAULTS,
    ...definition.maintenance,
  },
): boolean {
  const unindexed = state.rowCount - state.indexedRows.text;
  return definition.search !== null && unindexed > Math.max(limits.unindexedTextRows, state.rowCount * limits.unindexedTextShare);
}

/**
 * What pays now. Rows outside an index are found, but slowly: unindexed full text costs about 10 ms per 1,000 rows, a flat vector scan
 * about 1 ms per 10,000. `full` asks for everything that is not yet up to date.
 */
export function upkeepDue(
  definition: StreamDefinition,
  state: TableState,
  compactionsSinceOptimize: number,
  limits: CompactionSettings,
  full: boolean,
): Upkeep {
  const text = state.rowCount - state.indexedRows.text;
  const vector = state.rowCount - state.indexedRows.vector;
  const worthVectorIndex = definition.embed !== null && state.rowCount >= limits.vectorIndexMinRows;
  return {
    fillVectors: state.nullVectors > 0,
    textIndex: full ? definition.search !== null && text > 0 : lacksTextIndex(definition, state, limits),
    vectorIndex:
      worthVectorIndex &&
      vector > (full ? 0 : Math.max(limits.unindexedVectorRows, state.rowCount * limits.unindexedVectorShare)),
    compactFragments: compactionsSinceOptimize >= (full ? 1 : limits.compactionsPerOptimize),
  };
}
