import { isTailwaterError, TailwaterError } from '../../base/index.ts';
import type { FilesReplacement, TableStore } from '../table-store.ts';
import type { TableState } from '../table-types.ts';
import { versionsOf } from './execute.ts';
import { checkFacts, stateAfterUpkeep, unchangedFacts } from './outcome.ts';
import type { TableWork } from './settings.ts';
import { commitFacts, commitUpkeep } from './upkeep-commit.ts';

/** What a commit of another engine needs of the table's work. */
export interface ReplacementWork extends Pick<TableWork, 'definition' | 'states' | 'clock' | 'random' | 'logger'> {
  tables: Pick<TableStore, 'replaceFiles'>;
}

/**
 * Commits what another engine made of the files of the table as it is in `base`: a state of its own with the same rows and watermark (C5). Tried
 * once: a state that came first means that the engine planned on another table. TW_COMMIT_CONFLICT when one did, or when rows differ;
 * TW_BAD_REQUEST for files that cannot be read; TW_OUTCOME_UNKNOWN when it cannot be learned whether it was committed.
 */
export async function commitReplacement(
  work: ReplacementWork,
  base: TableState,
  replacement: FilesReplacement,
): Promise<TableState> {
  const { definition, tables } = work;
  if (tables.replaceFiles === undefined) {
    throw new TailwaterError('TW_INTERNAL', { detail: 'The tables of this catalog are written by Tailwater alone.' });
  }
  const startedMs = work.clock.nowMs();
  const staged = await tables.replaceFiles(definition, versionsOf(base), base.schema, replacement);
  try {
    const facts = await staged.staging.verify(base.watermark, { hashed: 'all', watermark: base.watermark });
    checkFacts(unchangedFacts(base), facts);
    const { removed, added } = staged;
    const state = stateAfterUpkeep(base, 'replace', facts, commitFacts(work, startedMs), {});
    const next: TableState = { ...state, summary: { removedFiles: removed, addedFiles: added, ...state.summary } };
    const { kind } = await commitUpkeep(work, base, next);
    if (kind === 'lost') throw new TailwaterError('TW_COMMIT_CONFLICT', { detail: 'The table changed meanwhile.' });
    // The table has copies: what cannot be deleted now is only in the way.
    await staged.committed().catch(() => {});
    return next;
  } catch (error) {
    if (!isTailwaterError(error, 'TW_OUTCOME_UNKNOWN')) await staged.discard().catch(() => {});
    throw error;
  }
}
