import { embedText, type StreamDefinition } from '../../streams/index.ts';
import type { StagedFacts, TableStaging } from '../table-store.ts';
import type { TableState } from '../table-types.ts';
import { type Attempt, untilDone } from './attempts.ts';
import { parseValue } from './derive.ts';
import { versionsOf } from './execute.ts';
import { expireRecords } from './expire.ts';
import { expiryEveryMs } from './expiry.ts';
import { checkFacts, stateAfterUpkeep, unchangedFacts } from './outcome.ts';
import { type CompactionContext, type TableWork, type VectorRequest, workOn } from './settings.ts';
import { type Upkeep, upkeepDue } from './upkeep.ts';
import { commitFacts, commitUpkeep, latestState } from './upkeep-commit.ts';
import { askForVectors } from './vectors.ts';

export interface MaintainOptions {
  /** Bring every index up to date and merge fragments, whether it pays or not; default false. */
  full?: boolean;
}

/** SQL of the rows that have no vector yet, understood by every table store. */
const WITHOUT_VECTOR = '_embedding IS NULL';

/**
 * Takes out what has expired; fills vectors that were missing (C7), merges small fragments and refreshes indexes (C5), as far as it pays.
 * Each is a table state of its own with the same watermark and, but for what expired, the same rows. Returns the newest state, or null when there is no table.
 * Throws TW_COMPACTION_FAILED when an operation does not succeed; those before it stand.
 */
export async function maintainTable(
  context: CompactionContext,
  definition: StreamDefinition,
  options: MaintainOptions = {},
): Promise<TableState | null> {
  const work = workOn(context, definition);
  const full = options.full ?? false;
  const before = await work.states.latest();
  if (before === null) return null;
  const mayExpire = work.limits.expire && expiryEveryMs(definition) !== null;
  if (mayExpire) await expireRecords(work);
  const state = mayExpire ? await latestState(work) : before;
  const due = upkeepDue(definition, state, await compactionsSinceOptimize(work, state), work.limits, full);
  // A look at the states costs requests: mostly there is nothing to do.
  if (!Object.values(due).includes(true)) return state;
  if (due.fillVectors) await fillVectors(work);
  if (due.compactFragments) await optimize(work, 'optimize', { ...due, textIndex: false, vectorIndex: false });
  if (due.textIndex || due.vectorIndex) await optimize(work, 'index', { ...due, compactFragments: false });
  return work.states.latest();
}

/** Compactions after the newest state that merged fragments, as far as the threshold asks. */
async function compactionsSinceOptimize(work: TableWork, latest: TableState): Promise<number> {
  let count = 0;
  let state: TableState | null = latest;
  while (state !== null && state.kind !== 'optimize' && count < work.limits.compactionsPerOptimize) {
    if (state.kind === 'compaction' || state.kind === 'create') count++;
    state = await work.states.read(state.n - 1);
  }
  return count;
}

async function optimize(work: TableWork, kind: 'optimize' | 'index', upkeep: Upkeep): Promise<void> {
  const { textIndex, vectorIndex, compactFragments } = upkeep;
  await untilDone(work, kind === 'index' ? 'Indexing' : 'Merging fragments', async () => {
    const base = await latestState(work);
    const startedMs = work.clock.nowMs();
    const facts = await stageUpkeep(work, base, staging => staging.optimize({ textIndex, vectorIndex, compactFragments }));
    const { text, vector } = base.indexedRows;
    const indexedRows = { text: textIndex ? base.rowCount : text, vector: vectorIndex ? base.rowCount : vector };
    return commitUpkeep(work, base, stateAfterUpkeep(base, kind, facts, commitFacts(work, startedMs), { indexedRows }));
  });
}

/** Batch by batch, until no vector is missing or the provider has none to give. */
async function fillVectors(work: TableWork): Promise<void> {
  while (await untilDone(work, 'Filling vectors', () => fillBatch(work)));
}

/** Whether another batch may find more to do. */
async function fillBatch(work: TableWork): Promise<Attempt<boolean>> {
  const base = await latestState(work);
  const startedMs = work.clock.nowMs();
  const { requests, exhausted } = await rowsWithoutVector(work, base);
  const answer = await askForVectors(work, requests, work.computedVectorsFor ?? work.vectorsFor);
  const filled = requests.filter((_, index) => answer.hasVector[index] !== 0).map(request => request.seq);
  const nullVectors = exhausted ? requests.length - filled.length : Math.max(1, base.nullVectors - filled.length);
  if (filled.length === 0 && nullVectors === base.nullVectors) return { kind: 'done', value: false };
  const vectors = onlyPresent(answer.vectors, answer.hasVector, filled.length);
  const facts = filled.length === 0 ? null : await stageUpkeep(work, base, staging => staging.setVectors(filled, vectors));
  const next = stateAfterUpkeep(base, 'vectors', facts, commitFacts(work, startedMs), { nullVectors });
  const outcome = await commitUpkeep(work, base, next);
  return outcome.kind === 'lost' ? outcome : { kind: 'done', value: filled.length > 0 && !exhausted };
}

/** The first rows that have a text to embed and no vector; `exhausted` when these are all. */
async function rowsWithoutVector(work: TableWork, base: TableState): Promise<{ requests: VectorRequest[]; exhausted: boolean }> {
  const { definition, limits, tables } = work;
  const version = await tables.open(definition, versionsOf(base), base.schema);
  const requests: VectorRequest[] = [];
  for await (const rows of version.scan({ where: WITHOUT_VECTOR })) {
    for (const row of rows) {
      if (requests.length === limits.maxFilledVectors) return { requests, exhausted: false };
      const text = embedText(definition, parseValue(row.value));
      if (text !== null) requests.push({ seq: row.seq, text });
    }
  }
  return { requests, exhausted: true };
}

function onlyPresent(vectors: Float32Array, hasVector: Uint8Array, count: number): Float32Array {
  if (count === hasVector.length) return vectors;
  const dimensions = vectors.length / hasVector.length;
  const present = new Float32Array(count * dimensions);
  let to = 0;
  for (let index = 0; index < hasVector.length; index++) {
    if (hasVector[index] === 0) continue;
    present.set(vectors.subarray(index * dimensions, (index + 1) * dimensions), dimensions * to++);
  }
  return present;
}

/** Stages a change that must leave every row as it is, and checks that it did. */
async function stageUpkeep(
  work: TableWork,
  base: TableState,
  change: (staging: TableStaging) => Promise<void>,
): Promise<StagedFacts> {
  const staging = await work.tables.begin(work.definition, versionsOf(base), base.schema);
  await change(staging);
  const facts = await staging.verify(base.watermark, { hashed: 'all', watermark: base.watermark });
  checkFacts(unchangedFacts(base), facts);
  return facts;
}
