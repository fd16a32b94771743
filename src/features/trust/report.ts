import { fromUtf8, type JsonObject, type JsonValue } from '../../base/index.ts';
import type { FeatureEngine } from '../engine/feature-engine.ts';
import type { Datasets } from './datasets.ts';
import { psi } from './psi.ts';

export interface ReportRequest {
  /** A saved dataset to compare with; default: the same entities a day before. */
  baseline?: string;
  /** Default 1,000. */
  entities?: number;
}

export interface FeatureHealth {
  feature: string;
  /** Share of entities whose value is null, now and in the baseline; null without entities. */
  nullRate: number | null;
  baselineNullRate: number | null;
  /** Drift since the baseline; null where either has no value. Below 0.1 little, above 0.25 much, by custom. */
  psi: number | null;
  /** Age of the newest event that counts: of half the entities at most, and of the stalest. Null for on-demand features. */
  medianAgeMs: number | null;
  maxAgeMs: number | null;
}

export interface FeatureReport {
  view: string;
  version: string;
  /** ISO 8601. */
  asOf: string;
  /** The dataset, or the instant that is compared with. */
  baseline: string;
  entities: number;
  features: FeatureHealth[];
}

const DAY_MS = 86_400_000;

/** What a view serves now, beside a baseline. Throws TW_VIEW_NOT_FOUND, TW_DATASET_NOT_FOUND, TW_HISTORY_EXPIRED. */
export async function reportOf(
  engine: FeatureEngine,
  datasets: Datasets,
  view: string,
  { baseline, entities: limit = 1000 }: ReportRequest,
): Promise<FeatureReport> {
  const { version, definition } = engine.get(view);
  const { atMs, entities } = await engine.sample(view, limit);
  const spine = [...entities.keys()].map((entity, index) => ({ index, entity, timeMs: atMs - DAY_MS, values: {} }));
  const before =
    baseline === undefined ? await engine.replay({ definition }, spine, false) : await rowsOf(datasets, baseline, view);
  const features = Object.keys(definition.features).map(feature => {
    const answers = [...entities.values()].map(answer => answer[feature]);
    const now = answers.map(({ value }) => value);
    const past = before.map(row => row[feature] ?? null);
    const ages = answers.flatMap(({ eventTimeMs }) => (eventTimeMs === null ? [] : [atMs - eventTimeMs])).sort((a, b) => a - b);
    return {
      feature,
      nullRate: nullRate(now),
      baselineNullRate: nullRate(past),
      psi: psi(past, now),
      medianAgeMs: ages[Math.floor((ages.length - 1) / 2)] ?? null,
      maxAgeMs: ages.at(-1) ?? null,
    };
  });
  const asOf = new Date(atMs).toISOString();
  return { view, version, asOf, baseline: baseline ?? new Date(atMs - DAY_MS).toISOString(), entities: entities.size, features };
}

/** Columns of a dataset of several views are `view.feature`. */
async function rowsOf(datasets: Datasets, name: string, view: string): Promise<JsonObject[]> {
  const { views } = await datasets.get(name);
  const rows: JsonObject[] = fromUtf8(await datasets.rebuild(name))
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line));
  if (views.length === 1) return rows;
  return rows.map(row =>
    Object.fromEntries(
      Object.entries(row).flatMap(([column, value]) =>
        column.startsWith(`${view}.`) ? [[column.slice(view.length + 1), value]] : [],
      ),
    ),
  );
}

function nullRate(values: readonly JsonValue[]): number | null {
  return values.length === 0 ? null : values.filter(value => value === null).length / values.length;
}
