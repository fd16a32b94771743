import { isJsonObject, type JsonValue } from '../../base/index.ts';
import { parseWindowMs } from './duration.ts';
import { invalid, requireMembers } from './problems.ts';
import type { WindowBounds, WindowDefinition } from './types.ts';

/** A window in milliseconds, with every default filled in. */
export type Window =
  | { kind: 'sliding'; sizeMs: number; bounds: WindowBounds }
  | { kind: 'tumbling'; sizeMs: number; complete: boolean }
  | { kind: 'session'; gapMs: number; maxMs: number }
  | { kind: 'rows'; count: number }
  | { kind: 'lifetime' };

const DAY_MS = 86_400_000;
const BOUNDS: readonly WindowBounds[] = ['(]', '[)', '[]'];
/** A hundred years: anything longer is a mistake, or a lifetime. */
const MAX_WINDOW_MS = 36_525 * DAY_MS;
const MAX_ROWS = 100_000;

/** Throws TW_VIEW_DEFINITION. */
export function checkWindow(window: JsonValue, at: string): void {
  if (window === 'lifetime') return;
  if (!isJsonObject(window)) throw invalid(at, 'must be "lifetime" or an object');
  if (window.sliding !== undefined) {
    requireMembers(window, at, ['sliding'], ['bounds']);
    checkSize(window.sliding, `${at}.sliding`);
    const { bounds } = window;
    if (bounds !== undefined && !BOUNDS.includes(bounds as WindowBounds))
      throw invalid(`${at}.bounds`, 'must be "(]", "[)" or "[]"');
  } else if (window.tumbling !== undefined) {
    requireMembers(window, at, ['tumbling'], ['complete']);
    checkSize(window.tumbling, `${at}.tumbling`);
    if (window.complete !== undefined && typeof window.complete !== 'boolean')
      throw invalid(`${at}.complete`, 'must be true or false');
  } else if (window.session !== undefined) {
    requireMembers(window, at, ['session'], ['max']);
    checkSize(window.session, `${at}.session`);
    if (window.max !== undefined) checkSize(window.max, `${at}.max`);
  } else {
    requireMembers(window, at, ['rows'], []);
    const { rows } = window;
    if (!Number.isSafeInteger(rows) || (rows as number) < 1 || (rows as number) > MAX_ROWS) {
      throw invalid(`${at}.rows`, `must be a whole number from 1 to ${MAX_ROWS}`);
    }
  }
}

function checkSize(size: JsonValue, at: string): void {
  const ms = typeof size === 'string' ? parseWindowMs(size) : null;
  if (ms === null) throw invalid(at, `is ${JSON.stringify(size)}; it must be a duration such as "5m", "24h" or "7d"`);
  if (ms === 0) throw invalid(at, 'must be longer than 0');
  if (ms > MAX_WINDOW_MS) throw invalid(at, 'is longer than a hundred years; use "lifetime"');
}

/** Of a checked definition. */
export function windowOf(definition: WindowDefinition): Window {
  if (definition === 'lifetime') return { kind: 'lifetime' };
  if ('sliding' in definition) {
    return { kind: 'sliding', sizeMs: parseWindowMs(definition.sliding)!, bounds: definition.bounds ?? '(]' };
  }
  if ('tumbling' in definition) {
    return { kind: 'tumbling', sizeMs: parseWindowMs(definition.tumbling)!, complete: definition.complete ?? false };
  }
  if ('session' in definition) {
    const maxMs = definition.max === undefined ? DAY_MS : parseWindowMs(definition.max)!;
    return { kind: 'session', gapMs: parseWindowMs(definition.session)!, maxMs };
  }
  return { kind: 'rows', count: definition.rows };
}

/** How far back from an instant a window reaches, in milliseconds; 0 for those that time does not bound. */
export function reachMs(window: Window): number {
  switch (window.kind) {
    case 'sliding':
      return window.sizeMs;
    case 'tumbling':
      return window.complete ? 2 * window.sizeMs : window.sizeMs;
    case 'session':
      return window.maxMs;
    default:
      return 0;
  }
}
