import type { JsonObject, JsonValue } from '../../base/index.ts';
import type { Consistency, Freshness } from '../../snapshot/index.ts';
import type { FeatureViewDefinition } from '../definition/types.ts';
import type { FeatureStatus } from '../evaluate.ts';
import type { FeatureEvent } from '../state/view-state.ts';
import type { DatasetInfo } from '../trust/dataset-types.ts';
import type { LeakageWarning } from '../trust/leakage.ts';
import type { FeatureChange } from './changes.ts';
import type { ViewProgress } from './live-view.ts';

export interface ViewInfo {
  name: string;
  /** Of the definition that answers are of. */
  version: string;
  definition: FeatureViewDefinition;
  /** ISO 8601. */
  appliedAt: string;
  /** Versions before, newest first. */
  past: { version: string; appliedAt: string }[];
  progress: ViewProgress;
  /** A version that was applied and is still being built; the one before serves meanwhile. Null: none. */
  building: { version: string; progress: ViewProgress } | null;
  /** Entities and rows in memory, events applied, events without an entity. */
  stats: Record<string, number>;
}

export interface ViewPlanAnswer {
  name: string;
  /** The version that serves now; null: the view is new. */
  current: string | null;
  next: string;
  changes: FeatureChange[];
  /** Values that are served change or go: applying needs `replaces` with the current version. */
  altersServedValues: boolean;
  /** The state is built from the stream again, while the current version serves. */
  rebuilds: boolean;
  /** Records that building reads. */
  recordsToRead: number;
  /** Of keys and values in the table, and of the log's tail, that building reads; null: the table was begun before they were counted. */
  bytesToRead: number | null;
  /** Values that differ, of sampled entities at one instant. */
  differences: { entity: string; feature: string; before: JsonValue; after: JsonValue }[];
  sampledEntities: number;
}

export interface OnlineRequest {
  /** Each the value of the view's entity field, a list of several, or an object of them by name. At most 10,000. */
  entities: readonly JsonValue[];
  /** Values for on-demand features: of all entities, or a list with those of each. */
  request?: JsonObject | readonly JsonObject[];
  /** Default: all. */
  features?: readonly string[];
  /** The instant (ISO 8601) that windows end at, within the view's history; default now. */
  asOf?: string;
  consistency?: Omit<Consistency, 'asOf'>;
  /** Default 10,000. */
  deadlineMs?: number;
}

export interface FeatureDetail {
  status: FeatureStatus;
  /** Of the newest event that counts, ISO 8601. */
  eventTime: string | null;
  /** From that event to the instant of the answer. */
  ageMs: number | null;
}

export interface OnlineAnswer<Values = Record<string, JsonValue>> {
  view: string;
  version: string;
  /** The instant that windows end at, ISO 8601. */
  asOf: string;
  /** In the order asked for. */
  entities: { entity: JsonValue; values: Values; details: Record<string, FeatureDetail> }[];
  freshness: Freshness;
  /** The position of the answer. */
  token: string;
}

/** Several views at one instant: a feature service. */
export interface ServiceRequest extends Omit<OnlineRequest, 'features'> {
  /** Entities are best given as objects, from which each view takes its fields. */
  views: readonly (string | { view: string; features?: readonly string[] })[];
}

export interface ServiceAnswer {
  /** The instant of all answers, ISO 8601. */
  asOf: string;
  /** In the order asked for. */
  views: OnlineAnswer[];
}

export interface HistoricalRequest {
  /** With more than one, columns are named `view.feature`. */
  views: readonly string[];
  /** Each has the entity's fields and a time; other members serve on-demand features. All are kept. */
  rows: readonly JsonObject[];
  /** The member that holds the time, ISO 8601 or milliseconds. Default "time". */
  time?: string;
  /** Leaves out what had not been ingested by the row's time: the row is what an online call at that instant answered. Default false. */
  asSeen?: boolean;
  /** Keeps the rows as a dataset of this name, which can be rebuilt byte for byte. */
  saveAs?: string;
  /** The member that is to be predicted: the rows are searched for what would give it away. Reads the stream once more. */
  label?: string;
  consistency?: Omit<Consistency, 'asOf'>;
  deadlineMs?: number;
}

export interface HistoricalAnswer {
  /** In the order given. */
  rows: JsonObject[];
  views: { view: string; version: string; token: string; freshness: Freshness }[];
  /** With `saveAs`. */
  dataset?: DatasetInfo;
  /** With `label`. */
  warnings?: LeakageWarning[];
}

/** A definition over exactly the records up to a position. */
export interface PinnedView {
  view: string;
  definition: FeatureViewDefinition;
  /** Of the source stream. */
  incarnation: string;
  /** Per partition, the highest offset that counts. */
  heads: readonly number[];
  /** Of the source: keeps the records. Without it, or when it is gone, they are read where they are now. */
  tag?: string;
}

export interface HistoricalOptions {
  /** Instead of what is served and known now. */
  pinned?: readonly PinnedView[];
  /** The caller proves by a hash that no record was missing. */
  proven?: boolean;
  /** Sees every record that was read, in log order. */
  observe?: (view: string, event: FeatureEvent) => void;
}
