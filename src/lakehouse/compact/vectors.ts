import type { DerivedStep } from './derive.ts';
import type { CompactionContext, TableWork, VectorAnswer, VectorRequest } from './settings.ts';

/** Vectors aligned with the rows of a table write. */
export interface RowVectors {
  vectors: Float32Array;
  hasVector: Uint8Array;
  /** Rows that should have a vector but have none yet. */
  missing: number;
}

/** The vectors of a step's rows; null when the stream embeds nothing. */
export async function vectorsOfStep(work: TableWork, derived: DerivedStep, rowCount: number): Promise<RowVectors | null> {
  const dimensions = work.definition.embed?.dimensions;
  if (dimensions === undefined) return null;
  const answer = await askForVectors(work, derived.embed, work.vectorsFor);
  const missing = answer.hasVector.reduce((sum, has) => sum + (has === 0 ? 1 : 0), 0);
  if (derived.embed.length === rowCount) return { ...answer, missing };
  const vectors = new Float32Array(rowCount * dimensions);
  const hasVector = new Uint8Array(rowCount);
  for (const [index, position] of derived.embedPositions.entries()) {
    if (answer.hasVector[index] === 0) continue;
    vectors.set(answer.vectors.subarray(index * dimensions, (index + 1) * dimensions), position * dimensions);
    hasVector[position] = 1;
  }
  return { vectors, hasVector, missing };
}

/** Never fails and never waits beyond the deadline: what is not there by then is filled in later (C7). */
export async function askForVectors(
  work: TableWork,
  requests: VectorRequest[],
  source: CompactionContext['vectorsFor'],
): Promise<VectorAnswer> {
  const dimensions = work.definition.embed?.dimensions ?? 0;
  if (requests.length === 0) return none(0, 0);
  const late = Promise.withResolvers<null>();
  const timer = work.clock.after(work.limits.vectorsDeadlineMs, () => late.resolve(null));
  try {
    const answer = await Promise.race([source(work.definition, requests), late.promise]);
    if (answer !== null) return answer;
    work.logger?.warn({ stream: work.definition.name, rows: requests.length }, 'vectors are late; rows stay without');
  } catch (error) {
    work.logger?.warn(
      { stream: work.definition.name, rows: requests.length, error: String(error) },
      'no vectors; rows stay without',
    );
  } finally {
    timer.cancel();
  }
  return none(requests.length, dimensions);
}

function none(count: number, dimensions: number): VectorAnswer {
  return { vectors: new Float32Array(count * dimensions), hasVector: new Uint8Array(count) };
}
