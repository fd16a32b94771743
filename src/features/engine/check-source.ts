import { isTailwaterError, TailwaterError } from '../../base/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import { invalid } from '../definition/problems.ts';
import type { ViewPlan } from '../plan.ts';

/** Event times may be ahead of commit times by so much: what supersedes a row may do so from then on. */
const MAX_AHEAD_MS = 3_600_000;

/** Throws TW_VIEW_DEFINITION where the stream does not keep what the view needs: a state built anew would have other values. */
export function checkSource(plan: ViewPlan, source: StreamDefinition): void {
  const { historyMs, kind, name } = source;
  if (source.retentionBytes !== undefined || (source.ttl !== undefined && 'field' in source.ttl)) {
    throw invalid('source', `drops records by their bytes or by a field: how long stream "${name}" keeps one is not known`);
  }
  const retentionMs = keptMs(source);
  if (retentionMs !== null) {
    const unbounded = plan.windows.find(({ window }) => window.kind === 'lifetime' || window.kind === 'rows');
    if (unbounded !== undefined) throw invalid('features', `have windows without an end, but stream "${name}" drops old records`);
    if (plan.reachMs + plan.historyMs > retentionMs) {
      throw invalid(
        'features',
        `look back ${plan.reachMs} ms, with the view's history beyond the ${retentionMs} ms that stream "${name}" keeps`,
      );
    }
  }
  if (kind === 'upsert' && historyMs !== null && plan.historyMs + MAX_AHEAD_MS > historyMs) {
    throw invalid('history', `is beyond the ${historyMs} ms for which stream "${name}" keeps what was replaced`);
  }
}

/** As `checkSource`, for a stream that is about to change under a view. */
export function checkChange(view: string, plan: ViewPlan, after: StreamDefinition): void {
  try {
    checkSource(plan, after);
  } catch (error) {
    if (!isTailwaterError(error, 'TW_VIEW_DEFINITION')) throw error;
    const detail = `Feature view "${view}" needs more than stream "${after.name}" would keep. ${error.message}`;
    throw new TailwaterError('TW_VIEW_DEFINITION', { detail, data: { view } });
  }
}

/** By commit time or event time, whichever ends sooner; null: for ever. */
function keptMs({ retentionMs, ttl }: StreamDefinition): number | null {
  const ttlMs = ttl !== undefined && 'ms' in ttl ? ttl.ms : null;
  if (retentionMs === null || ttlMs === null) return retentionMs ?? ttlMs;
  return Math.min(retentionMs, ttlMs);
}

/** Throws TW_HISTORY_EXPIRED when versions that an instant may have seen are no longer kept. */
export function checkInstants(source: StreamDefinition, timesMs: Iterable<number>, gaps: boolean, nowMs: number): void {
  if (!gaps || source.historyMs === null) return;
  const sinceMs = nowMs - source.historyMs + MAX_AHEAD_MS;
  for (const timeMs of timesMs) {
    if (timeMs >= sinceMs) continue;
    throw new TailwaterError('TW_HISTORY_EXPIRED', {
      detail: `Stream "${source.name}" no longer has all that was replaced before ${new Date(sinceMs).toISOString()}; a row asks for ${new Date(timeMs).toISOString()}.`,
    });
  }
}

/** Throws TW_HISTORY_EXPIRED when the stream of that name is another one by now. */
export function requireSameLife(source: StreamDefinition, incarnation: string): void {
  if (source.incarnation === incarnation) return;
  throw new TailwaterError('TW_HISTORY_EXPIRED', {
    detail: `Stream "${source.name}" was deleted and created again; the records asked for are gone.`,
  });
}
