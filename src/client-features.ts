import type { HttpRequest } from './client-transport.ts';
import type {
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

  apply({ name, definition }: ViewInput, { replaces }: { replaces?: string } = {}): Promise<ViewInfo> {
    const query = replaces === undefined ? '' : `?replaces=${encodeURIComponent(replaces)}`;
    return this.#body('PUT', `${viewPath(name)}${query}`, definition);
  }

  plan({ name, definition }: ViewInput, { sampleEntities }: { sampleEntities?: number } = {}): Promise<ViewPlanAnswer> {
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

  online<F extends Features>(
    view: FeatureView<F> | string,
    request: OnlineRequest,
  ): Promise<OnlineAnswer<FeatureValues<FeatureView<F>>>> {
    return this.#body('POST', `${viewPath(typeof view === 'string' ? view : view.name)}/online`, request);
  }

  service(request: ServiceRequest): Promise<ServiceAnswer> {
    return this.#body('POST', '/v1/features/online', request);
  }

  historical(request: HistoricalRequest): Promise<HistoricalAnswer> {
    return this.#body('POST', '/v1/features/historical', request, this.#longMs);
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
