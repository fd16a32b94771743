const DAY_MS = 86_400_000;
const UNITS_MS = [7 * DAY_MS, DAY_MS, 3_600_000, 60_000, 1_000];
const DURATION = /^P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,3})?)S)?)?$/;

/** Milliseconds of an ISO 8601 duration in weeks, days, hours, minutes and seconds; null when it is not one, or has years or months. */
export function parseDurationMs(text: string): number | null {
  const parts = DURATION.exec(text)?.slice(1);
  if (parts === undefined || text.endsWith('T') || parts.every(part => part === undefined)) return null;
  return parts.reduce((sum, part, index) => sum + Math.round(Number(part ?? 0) * UNITS_MS[index]), 0);
}
