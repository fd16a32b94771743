import type { JsonValue } from '../base/index.ts';
import type {
  DatasetInfo,
  FeatureReport,
  Features,
  FeatureValues,
  FeatureView,
  FeatureViewDefinition,
  HistoricalAnswer,
  HistoricalRequest,
  LeakageWarning,
  OnlineAnswer,
  OnlineRequest,
  ReportRequest,
  ServiceAnswer,
  ServiceRequest,
  SkewReport,
  TrainingRequest,
  ViewInfo,
  ViewPlanAnswer,
} from '../features/index.ts';

/** A view from `featureView`, or its name and its definition as JSON. */
export type ViewInput = FeatureView | { name: string; definition: FeatureViewDefinition | JsonValue };

/** Feature views: the same on the embedded engine and the HTTP client. Every rejection is a TailwaterError. */
export interface FeaturesApi {
  /**
   * Defines a view, or changes it: the version before serves until the new one is built. TW_VIEW_CHANGED when values that are served
   * would change and `replaces` is not the version that is served.
   */
  apply(view: ViewInput, options?: { replaces?: string }): Promise<ViewInfo>;
  /** What applying would do. Compares the values of up to `sampleEntities` (default 20) entities, which reads the whole stream. */
  plan(view: ViewInput, options?: { sampleEntities?: number }): Promise<ViewPlanAnswer>;
  get(name: string): Promise<ViewInfo>;
  list(): Promise<ViewInfo[]>;
  remove(name: string): Promise<void>;
  /** Values of entities now, or at an instant of the view's history; typed when the view is one from `featureView`. */
  online<F extends Features>(
    view: FeatureView<F> | string,
    request: OnlineRequest,
  ): Promise<OnlineAnswer<FeatureValues<FeatureView<F>>>>;
  /** Several views at one instant. */
  service(request: ServiceRequest): Promise<ServiceAnswer>;
  /** Training rows: features point in time, for any rows of entities and times. */
  historical(request: TrainingRequest): Promise<HistoricalAnswer>;
  /** What in training rows may give their label away. Reads the streams twice. */
  lint(request: HistoricalRequest): Promise<LeakageWarning[]>;
  /** Training rows that were saved with `saveAs`. */
  datasets(): Promise<DatasetInfo[]>;
  dataset(name: string): Promise<DatasetInfo>;
  /** The rows as JSON lines, the same bytes every time; TW_HISTORY_EXPIRED when records that they need are gone. */
  rebuild(name: string): Promise<string>;
  removeDataset(name: string): Promise<void>;
  /** Keeps that share (0 to 1) of the online answers of a view in the stream `{view}.answers`. */
  logAnswers(view: string, rate: number): Promise<void>;
  /** Compares logged answers with training rows, as seen, of the same entities and instants. */
  skew(view: string): Promise<SkewReport>;
  /** Nulls, drift and age of what a view serves now. */
  report(view: string, request?: ReportRequest): Promise<FeatureReport>;
}
