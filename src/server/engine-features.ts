import type { JsonValue } from '../base/index.ts';
import {
  type FeatureEngine,
  type Features,
  type FeatureValues,
  type FeatureView,
  type HistoricalAnswer,
  historicalWithFunctions,
  type OnlineAnswer,
  type OnlineRequest,
  onlineWithFunctions,
  requireNoFunctions,
  type ServiceAnswer,
  type ServiceRequest,
  type ViewInfo,
  type ViewPlanAnswer,
} from '../features/index.ts';
import type { FeaturesApi, TrainingRequest, ViewInput } from './features-api.ts';

/** The feature engine of this process behind the interface that the HTTP client has too. */
export class EngineFeatures implements FeaturesApi {
  readonly #engine: FeatureEngine;

  constructor(engine: FeatureEngine) {
    this.#engine = engine;
  }

  async apply({ name, definition }: ViewInput, options: { replaces?: string } = {}): Promise<ViewInfo> {
    requireNoFunctions(definition);
    return this.#engine.apply(name, definition as JsonValue, options);
  }

  async plan({ name, definition }: ViewInput, options: { sampleEntities?: number } = {}): Promise<ViewPlanAnswer> {
    requireNoFunctions(definition);
    return this.#engine.plan(name, definition as JsonValue, options);
  }

  async get(name: string): Promise<ViewInfo> {
    return this.#engine.get(name);
  }

  async list(): Promise<ViewInfo[]> {
    return this.#engine.list();
  }

  async remove(name: string): Promise<void> {
    return this.#engine.remove(name);
  }

  async online<F extends Features>(
    view: FeatureView<F> | string,
    request: OnlineRequest,
  ): Promise<OnlineAnswer<FeatureValues<FeatureView<F>>>> {
    const answer = await onlineWithFunctions(view, request, (name, own) => this.#engine.online(name, own));
    return answer as OnlineAnswer<FeatureValues<FeatureView<F>>>;
  }

  async service(request: ServiceRequest): Promise<ServiceAnswer> {
    return this.#engine.service(request);
  }

  async historical(request: TrainingRequest): Promise<HistoricalAnswer> {
    return historicalWithFunctions(request, own => this.#engine.historical(own));
  }
}
