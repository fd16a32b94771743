const DIGITS = 20;

/** A sequence as 20 decimal digits, so that names sort as numbers do. */
export function seqName(seq: number): string {
  return String(seq).padStart(DIGITS, '0');
}

/** The sequence a name spells, or null when it is not exactly 20 digits. */
export function parseSeqName(name: string): number | null {
  return name.length === DIGITS && /^[0-9]+$/.test(name) ? Number(name) : null;
}
