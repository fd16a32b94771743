const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const DURATION = /^(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|h|d|w)$/;

/** Milliseconds of a text such as "500ms", "30s", "5m", "24h", "7d", "2w"; null when it is none, or is no whole number of milliseconds. */
export function parseWindowMs(text: string): number | null {
  const parts = DURATION.exec(text);
  if (parts === null) return null;
  const ms = Number(parts[1]) * UNITS_MS[parts[2]];
  return Number.isSafeInteger(ms) ? ms : null;
}
