import { type JsonValue, requireNoFunctions } from '../base/index.ts';
import type {
  FeatureEngine,
  Features,
  FeatureValues,
  FeatureView,
  HistoricalAnswer,
  HistoricalRequest,
  OnlineAnswer,
  OnlineRequest,
  ServiceAnswer,
  ServiceRequest,
  TrainingRequest,
  ViewInfo,
  ViewPlanAnswer,
} from '../features/index.ts';
import type { FeaturesApi, ViewInput } from './features-api.ts';

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
    const name = typeof view === 'string' ? view : view.name;
    const onDemand = typeof view === 'string' ? undefined : view.onDemand;
    const read = (own: OnlineRequest): Promise<OnlineAnswer> => this.#engine.online(name, own);
    const answer = await (onDemand === undefined ? read(request) : onDemand.online(request, read));
    return answer as OnlineAnswer<FeatureValues<FeatureView<F>>>;
  }

  async service(request: ServiceRequest): Promise<ServiceAnswer> {
    return this.#engine.service(request);
  }

  async historical(request: TrainingRequest): Promise<HistoricalAnswer> {
    const read = (own: HistoricalRequest): Promise<HistoricalAnswer> => this.#engine.historical(own);
    const computing = request.views.find(view => typeof view !== 'string' && view.onDemand !== undefined) as
      | FeatureView
      | undefined;
    if (computing !== undefined) return computing.onDemand!.historical(request, read);
    return read({ ...request, views: request.views.map(view => (typeof view === 'string' ? view : view.name)) });
  }
}
