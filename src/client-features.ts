import { requireNoFunctions } from './base/index.ts';
import type { HttpRequest } from './client-transport.ts';
import type {
  DatasetInfo,
  FeatureReport,
  Features,
  FeatureValues,
  FeatureView,
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
} from './features/index.ts';
import type { FeaturesApi, ViewInput } from './server/index.ts';

const JSON_HEADERS = { 'content-type': 'application/json' };

/** What the client sends requests with. */
interface Sender {
  json<T>(request: HttpRequest): Promise<T>;
  text(request: HttpRequest): Promise<string>;
}

/** Feature views of a server, over HTTP. */
export class ClientFeatures implements FeaturesApi {
  readonly #sender: Sender;
  /** For what reads a whole stream. */
  readonly #longMs: number;

  constructor(sender: Sender, longMs: number) {
    this.#sender = sender;
    this.#longMs = longMs;
  }

  async apply({ name, definition }: ViewInput, { replaces }: { replaces?: string } = {}): Promise<ViewInfo> {
    requireNoFunctions(definition);
    const query = replaces === undefined ? '' : `?replaces=${encodeURIComponent(replaces)}`;
    return this.#body('PUT', `${viewPath(name)}${query}`, definition);
  }

  async plan({ name, definition }: ViewInput, { sampleEntities }: { sampleEntities?: number } = {}): Promise<ViewPlanAnswer> {
    requireNoFunctions(definition);
    const query = sampleEntities === undefined ? '' : `?sampleEntities=${sampleEntities}`;
    return this.#body('POST', `${viewPath(name)}/plan${query}`, definition, this.#longMs);
  }

  get(name: string): Promise<ViewInfo> {
    return this.#sender.json({ method: 'GET', path: viewPath(name), repeatable: true });
  }

  async list(): Promise<ViewInfo[]> {
    return (await this.#sender.json<{ views: ViewInfo[] }>({ method: 'GET', path: '/v1/features', repeatable: true })).views;
  }

  async remove(name: string): Promise<void> {
    await this.#sender.text({ method: 'DELETE', path: viewPath(name), repeatable: false });
  }

  async online<F extends Features>(
    view: FeatureView<F> | string,
    request: OnlineRequest,
  ): Promise<OnlineAnswer<FeatureValues<FeatureView<F>>>> {
    const name = typeof view === 'string' ? view : view.name;
    const onDemand = typeof view === 'string' ? undefined : view.onDemand;
    const read = (own: OnlineRequest): Promise<OnlineAnswer> => this.#body('POST', `${viewPath(name)}/online`, own);
    const answer = await (onDemand === undefined ? read(request) : onDemand.online(request, read));
    return answer as OnlineAnswer<FeatureValues<FeatureView<F>>>;
  }

  service(request: ServiceRequest): Promise<ServiceAnswer> {
    return this.#body('POST', '/v1/features/online', request);
  }

  async historical(request: TrainingRequest): Promise<HistoricalAnswer> {
    const read = (own: HistoricalRequest): Promise<HistoricalAnswer> =>
      this.#body('POST', '/v1/features/historical', own, this.#longMs);
    const computing = request.views.find(view => typeof view !== 'string' && view.onDemand !== undefined) as
      | FeatureView
      | undefined;
    if (computing !== undefined) return computing.onDemand!.historical(request, read);
    return read({ ...request, views: request.views.map(view => (typeof view === 'string' ? view : view.name)) });
  }

  async lint(request: HistoricalRequest): Promise<LeakageWarning[]> {
    return (await this.#body<{ warnings: LeakageWarning[] }>('POST', '/v1/features/lint', request, this.#longMs)).warnings;
  }

  async datasets(): Promise<DatasetInfo[]> {
    return (await this.#get<{ datasets: DatasetInfo[] }>('/v1/datasets')).datasets;
  }

  dataset(name: string): Promise<DatasetInfo> {
    return this.#get(datasetPath(name));
  }

  rebuild(name: string): Promise<string> {
    return this.#sender.text({ method: 'GET', path: `${datasetPath(name)}/rows`, repeatable: true, timeoutMs: this.#longMs });
  }

  async removeDataset(name: string): Promise<void> {
    await this.#sender.text({ method: 'DELETE', path: datasetPath(name), repeatable: false });
  }

  async logAnswers(view: string, rate: number): Promise<void> {
    await this.#body('PUT', `${viewPath(view)}/log`, { rate });
  }

  skew(view: string): Promise<SkewReport> {
    return this.#get(`${viewPath(view)}/skew`, this.#longMs);
  }

  report(view: string, { baseline, entities }: ReportRequest = {}): Promise<FeatureReport> {
    const query = new URLSearchParams();
    if (baseline !== undefined) query.set('baseline', baseline);
    if (entities !== undefined) query.set('entities', String(entities));
    return this.#get(`${viewPath(view)}/report?${query}`, this.#longMs);
  }

  #get<T>(path: string, timeoutMs?: number): Promise<T> {
    return this.#sender.json({ method: 'GET', path, repeatable: true, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  }

  #body<T>(method: string, path: string, content: unknown, timeoutMs?: number): Promise<T> {
    const body = JSON.stringify(content);
    return this.#sender.json({
      method,
      path,
      headers: JSON_HEADERS,
      body,
      repeatable: true,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  }
}

function viewPath(name: string): string {
  return `/v1/features/${encodeURIComponent(name.toWellFormed())}`;
}

function datasetPath(name: string): string {
  return `/v1/datasets/${encodeURIComponent(name.toWellFormed())}`;
}
