import type { JsonValue } from '../base/index.ts';
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
  ViewInfo,
  ViewPlanAnswer,
} from '../features/index.ts';
import type { FeaturesApi, ViewInput } from './features-api.ts';
import { ROLES, type Role, requireRole } from './roles.ts';

/** The feature engine of this process behind the interface that the HTTP client has too. */
export class EngineFeatures implements FeaturesApi {
  readonly #engine: FeatureEngine;
  readonly #roles: readonly Role[];

  constructor(engine: FeatureEngine, roles: readonly Role[] = ROLES) {
    this.#engine = engine;
    this.#roles = roles;
  }

  async apply({ name, definition }: ViewInput, options: { replaces?: string } = {}): Promise<ViewInfo> {
    requireRole(this.#roles, 'ingest');
    return this.#engine.apply(name, definition as JsonValue, options);
  }

  plan({ name, definition }: ViewInput, options: { sampleEntities?: number } = {}): Promise<ViewPlanAnswer> {
    return this.#engine.plan(name, definition as JsonValue, options);
  }

  async get(name: string): Promise<ViewInfo> {
    return this.#engine.get(name);
  }

  async list(): Promise<ViewInfo[]> {
    return this.#engine.list();
  }

  async remove(name: string): Promise<void> {
    requireRole(this.#roles, 'ingest');
    return this.#engine.remove(name);
  }

  async online<F extends Features>(
    view: FeatureView<F> | string,
    request: OnlineRequest,
  ): Promise<OnlineAnswer<FeatureValues<FeatureView<F>>>> {
    requireRole(this.#roles, 'retrieve');
    const answer = await this.#engine.online(typeof view === 'string' ? view : view.name, request);
    return answer as OnlineAnswer<FeatureValues<FeatureView<F>>>;
  }

  async service(request: ServiceRequest): Promise<ServiceAnswer> {
    requireRole(this.#roles, 'retrieve');
    return this.#engine.service(request);
  }

  async historical(request: HistoricalRequest): Promise<HistoricalAnswer> {
    requireRole(this.#roles, 'retrieve');
    return this.#engine.historical(request);
  }
}
