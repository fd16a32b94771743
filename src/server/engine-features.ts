import { fromUtf8, type JsonValue, requireNoFunctions } from '../base/index.ts';
import {
  type AnswerLog,
  type DatasetInfo,
  type Datasets,
  type FeatureEngine,
  type FeatureReport,
  type Features,
  type FeatureValues,
  type FeatureView,
  type HistoricalAnswer,
  type HistoricalRequest,
  historicalWithWarnings,
  type LeakageWarning,
  type OnlineAnswer,
  type OnlineRequest,
  type PinnedView,
  type ReportRequest,
  reportOf,
  type ServiceAnswer,
  type ServiceRequest,
  type SkewReport,
  skewOf,
  type TrainingRequest,
  type ViewInfo,
  type ViewPlanAnswer,
} from '../features/index.ts';
import type { FeaturesApi, ViewInput } from './features-api.ts';
import type { ComponentStats } from './metrics.ts';
import { type Role, requireRole } from './roles.ts';

const MAX_FEATURES_IN_METRICS = 1000;

export interface EngineFeaturesParts {
  engine: FeatureEngine;
  datasets: Datasets;
  answers: AnswerLog;
  roles: readonly Role[];
  /** This node defined, changed or removed a view. */
  onChange(): void;
}

/** The feature engine of this process behind the interface that the HTTP client has too. */
export class EngineFeatures implements FeaturesApi {
  readonly #engine: FeatureEngine;
  readonly #datasets: Datasets;
  readonly #answers: AnswerLog;
  readonly #roles: readonly Role[];
  readonly #onChange: () => void;
  /** The last report of each view: what metrics show. */
  readonly #reports = new Map<string, FeatureReport>();

  constructor({ engine, datasets, answers, roles, onChange }: EngineFeaturesParts) {
    this.#engine = engine;
    this.#datasets = datasets;
    this.#answers = answers;
    this.#roles = roles;
    this.#onChange = onChange;
  }

  async apply({ name, definition }: ViewInput, options: { replaces?: string } = {}): Promise<ViewInfo> {
    requireRole(this.#roles, 'ingest');
    requireNoFunctions(definition);
    const info = await this.#engine.apply(name, definition as JsonValue, options);
    this.#onChange();
    return info;
  }

  async plan({ name, definition }: ViewInput, options: { sampleEntities?: number } = {}): Promise<ViewPlanAnswer> {
    requireNoFunctions(definition);
    await this.#engine.look();
    return this.#engine.plan(name, definition as JsonValue, options);
  }

  /** Takes over what other nodes defined, changed and removed. */
  async look(): Promise<void> {
    await Promise.all([this.#engine.look(), this.#answers.look()]);
  }

  async get(name: string): Promise<ViewInfo> {
    await this.#engine.look();
    return this.#engine.get(name);
  }

  async list(): Promise<ViewInfo[]> {
    await this.#engine.look();
    return this.#engine.list();
  }

  async remove(name: string): Promise<void> {
    requireRole(this.#roles, 'ingest');
    await this.#engine.remove(name);
    this.#reports.delete(name);
    if (this.#answers.rateOf(name) > 0) await this.#answers.set(name, 0);
    this.#onChange();
  }

  async online<F extends Features>(
    view: FeatureView<F> | string,
    request: OnlineRequest,
  ): Promise<OnlineAnswer<FeatureValues<FeatureView<F>>>> {
    requireRole(this.#roles, 'retrieve');
    const name = typeof view === 'string' ? view : view.name;
    const onDemand = typeof view === 'string' ? undefined : view.onDemand;
    const read = (own: OnlineRequest): Promise<OnlineAnswer> => this.#online(name, own);
    const answer = await (onDemand === undefined ? read(request) : onDemand.online(request, read));
    return answer as OnlineAnswer<FeatureValues<FeatureView<F>>>;
  }

  async service(request: ServiceRequest): Promise<ServiceAnswer> {
    requireRole(this.#roles, 'retrieve');
    await this.#lookFor(namesOf(request), request);
    const answer = await this.#engine.service(request);
    for (const view of answer.views) this.#answers.take(view, request);
    return answer;
  }

  async historical(request: TrainingRequest): Promise<HistoricalAnswer> {
    requireRole(this.#roles, 'retrieve');
    const read = (own: HistoricalRequest): Promise<HistoricalAnswer> => this.#historical(own);
    const computing = request.views.find(view => typeof view !== 'string' && view.onDemand !== undefined) as
      | FeatureView
      | undefined;
    if (computing !== undefined) return computing.onDemand!.historical(request, read);
    return read({ ...request, views: request.views.map(view => (typeof view === 'string' ? view : view.name)) });
  }

  async lint(request: HistoricalRequest): Promise<LeakageWarning[]> {
    requireRole(this.#roles, 'retrieve');
    await this.#engine.look();
    return (await historicalWithWarnings(this.#engine, request)).warnings;
  }

  datasets(): Promise<DatasetInfo[]> {
    return this.#datasets.list();
  }

  dataset(name: string): Promise<DatasetInfo> {
    return this.#datasets.get(name);
  }

  async rebuild(name: string): Promise<string> {
    return fromUtf8(await this.#datasets.rebuild(name));
  }

  removeDataset(name: string): Promise<void> {
    return this.#datasets.remove(name);
  }

  async logAnswers(view: string, rate: number): Promise<void> {
    requireRole(this.#roles, 'ingest');
    await this.#engine.lookFor([view]);
    this.#engine.get(view);
    await this.#answers.set(view, rate);
    this.#onChange();
  }

  async skew(view: string): Promise<SkewReport> {
    await this.#engine.look();
    await this.#answers.flush();
    return skewOf(this.#engine, view);
  }

  async report(view: string, request: ReportRequest = {}): Promise<FeatureReport> {
    await this.#engine.lookFor([view]);
    const report = await reportOf(this.#engine, this.#datasets, view, request);
    this.#reports.set(view, report);
    return report;
  }

  /** Of views, and of up to 1,000 features as the last report of their view found them. */
  stats(): ComponentStats[] {
    const views = this.#engine.stats().map(({ view, stats }) => ({ component: 'features', labels: { view }, stats }));
    const features = [...this.#reports.values()].flatMap(({ view, features: own }) =>
      own.map(({ feature, nullRate, psi, medianAgeMs, maxAgeMs }) => ({
        component: 'feature',
        labels: { view, feature },
        stats: present({ nullRate, psi, medianAgeMs, maxAgeMs }),
      })),
    );
    return [...views, ...features.slice(0, MAX_FEATURES_IN_METRICS), { component: 'feature', stats: this.#answers.stats() }];
  }

  async close(): Promise<void> {
    await this.#answers.flush();
    await this.#engine.close();
  }

  async #online(view: string, request: OnlineRequest): Promise<OnlineAnswer> {
    await this.#lookFor([view], request);
    const answer = await this.#engine.online(view, request);
    this.#answers.take(answer, request);
    return answer;
  }

  /** A strong request knows every view that was defined before it; others look where they name one that is not known. */
  #lookFor(views: readonly string[], { consistency }: Pick<OnlineRequest, 'consistency'>): Promise<void> {
    return consistency?.strong === true ? this.#engine.look() : this.#engine.lookFor(views);
  }

  async #historical(request: HistoricalRequest): Promise<HistoricalAnswer> {
    await this.#lookFor(request.views, request);
    const compute = (pinned?: readonly PinnedView[]): Promise<HistoricalAnswer> =>
      request.label === undefined
        ? this.#engine.historical(request, pinned && { pinned })
        : historicalWithWarnings(this.#engine, request, pinned);
    if (request.saveAs === undefined) return compute();
    requireRole(this.#roles, 'work');
    return this.#datasets.save(request.saveAs, request, compute);
  }
}

function namesOf({ views }: ServiceRequest): string[] {
  return Array.isArray(views) ? views.map(view => (typeof view === 'string' ? view : view.view)) : [];
}

function present(stats: Record<string, number | null>): Record<string, number> {
  return Object.fromEntries(Object.entries(stats).filter((entry): entry is [string, number] => entry[1] !== null));
}
