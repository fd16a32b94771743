/** One measured figure, beside its goal and the limit or peer of the same run. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** The goal, as a bound on `value`; null: only reported. */
  goal: { atLeast: number } | { atMost: number } | null;
  /** What the figure is to be read against, from the same run. */
  beside?: { name: string; value: number; unit: string };
  note?: string;
}

export interface Section {
  name: string;
  title: string;
  run(context: BenchContext): Promise<Figure[]>;
}

export interface BenchContext {
  /** An empty folder of this section. */
  folder: string;
  /** The folder of the real data sets. */
  data: string;
  /** 1: everything as asked; smaller: a quick look. */
  scale: number;
  log(line: string): void;
}

export function meets(figure: Figure): boolean | null {
  if (figure.goal === null) return null;
  return 'atLeast' in figure.goal ? figure.value >= figure.goal.atLeast : figure.value <= figure.goal.atMost;
}

export function percentile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

export function sorted(values: Iterable<number>): Float64Array {
  return Float64Array.from(values).sort();
}

/** Milliseconds that the work took. */
export async function timed(work: () => unknown): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

export function format(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(1) : value.toFixed(3);
}
