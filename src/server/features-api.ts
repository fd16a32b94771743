import type { JsonValue } from '../base/index.ts';
import type {
  Features,
  FeatureValues,
  FeatureView,
  FeatureViewDefinition,
  HistoricalAnswer,
  OnlineAnswer,
  OnlineRequest,
  ServiceAnswer,
  ServiceRequest,
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
}
