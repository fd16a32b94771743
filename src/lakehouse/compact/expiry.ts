import { isJsonObject, type JsonValue } from '../../base/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import type { ExpiryBounds } from '../table-store.ts';

/** Expired records are looked for this often at most, and when a tenth of the shortest time to live has passed. */
const MAX_EVERY_MS = 600_000;
const MIN_EVERY_MS = 1_000;

/** Everything that is old by one of these has expired; bytes and a field of the value are not known from times alone. */
export function expiryBounds({ retentionMs, historyMs, ttl, kind }: StreamDefinition, nowMs: number): ExpiryBounds {
  const before = (ms: number | null): number | null => (ms === null ? null : Math.floor(nowMs - ms));
  return {
    ingestedMs: before(retentionMs),
    timeMs: ttl !== undefined && 'ms' in ttl ? before(ttl.ms) : null,
    supersededMs: kind === 'upsert' ? before(historyMs) : null,
    offsetsBelow: null,
  };
}

/** How long after it is due a record expires at the latest, the time of the work aside; null when nothing ever expires. */
export function expiryEveryMs({ retentionMs, retentionBytes, historyMs, ttl, kind }: StreamDefinition): number | null {
  const times = [retentionMs, kind === 'upsert' ? historyMs : null, ttl !== undefined && 'ms' in ttl ? ttl.ms : null];
  const shortest = Math.min(...times.map(ms => ms ?? Number.POSITIVE_INFINITY));
  const byContent = retentionBytes !== undefined || (ttl !== undefined && 'field' in ttl);
  if (shortest === Number.POSITIVE_INFINITY && !byContent) return null;
  return Math.max(MIN_EVERY_MS, Math.min(MAX_EVERY_MS, shortest / 10));
}

/** The moment in a field of the value: milliseconds since the epoch, or an ISO 8601 time; null when it is neither. */
export function momentAt(value: JsonValue, path: string): number | null {
  let found: JsonValue | undefined = isJsonObject(value) && Object.hasOwn(value, path) ? value[path] : undefined;
  if (found === undefined) {
    found = value;
    for (const name of path.split('.')) found = isJsonObject(found) && Object.hasOwn(found, name) ? found[name] : undefined;
  }
  if (typeof found === 'number') return found;
  const ms = typeof found === 'string' ? Date.parse(found) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}
