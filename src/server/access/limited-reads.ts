import { isJsonObject, type JsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';
import type { EngineContextsApi } from '../contexts-api.ts';
import type { EngineLike } from '../engine-types.ts';
import type { FeaturesApi } from '../features-api.ts';
import type { Identity } from './authenticator.ts';

/** What is asked without a stream in the path. */
export interface Reads extends Pick<EngineLike, 'sql' | 'context'> {
  readonly contexts: Pick<EngineContextsApi, 'get' | 'list' | 'call' | 'request'>;
  readonly features: Pick<FeaturesApi, 'get' | 'list' | 'online' | 'service' | 'historical'>;
}

/** Whether an identity may know of a stream. */
export function reaches({ streams }: Pick<Identity, 'streams'>, stream: string): boolean {
  return streams === null || streams.some(prefix => stream.startsWith(prefix));
}

/** TW_FORBIDDEN. A stream may be named by whatever was sent. */
export function requireReach(identity: Identity, stream: JsonValue | undefined): void {
  if (typeof stream === 'string' && reaches(identity, stream)) return;
  const allowed = identity.streams?.map(prefix => `${prefix}…`).join(', ');
  throw new TailwaterError('TW_FORBIDDEN', {
    detail: `The key "${identity.name}" is limited to the streams ${allowed}; this names "${String(stream).slice(0, 200)}".`,
  });
}

/** The same questions for a key that is limited to some streams: others are not there for SQL, and what would read one is TW_FORBIDDEN. */
export function limitedReads(engine: Reads, identity: Identity): Reads {
  const mayRead = (stream: string): boolean => reaches(identity, stream);
  // A definition may leave it to a parameter.
  const require = (stream: JsonValue | undefined): void => requireReach(identity, stream);
  const requireView = async (view: JsonValue | undefined): Promise<void> =>
    require(typeof view === 'string' ? (await engine.features.get(view)).definition.source : view);
  const requireLegs = async (include: unknown): Promise<void> => {
    const { views, streams } = namedBy(include);
    for (const stream of streams) require(stream);
    for (const view of views) await requireView(view);
  };
  const isWithin = (include: unknown): Promise<boolean> =>
    requireLegs(include).then(
      () => true,
      () => false,
    );
  return {
    sql: (request, signal) => engine.sql(request, signal, mayRead),
    async context(request) {
      await requireLegs(request.include);
      return engine.context(request);
    },
    contexts: {
      async get(name) {
        const info = await engine.contexts.get(name);
        await requireLegs(info.definition.context.include);
        return info;
      },
      async list() {
        const all = await engine.contexts.list();
        const within = await Promise.all(all.map(info => isWithin(info.definition.context.include)));
        return all.filter((_, index) => within[index]);
      },
      async request(name, call) {
        const request = await engine.contexts.request(name, call);
        await requireLegs(request.include);
        return request;
      },
      async call(name, call = {}) {
        return engine.context(await this.request(name, call));
      },
    },
    features: {
      async get(name) {
        const info = await engine.features.get(name);
        require(info.definition.source);
        return info;
      },
      async list() {
        return (await engine.features.list()).filter(({ definition }) => mayRead(definition.source));
      },
      async online(view, request) {
        await requireView(typeof view === 'string' ? view : view.name);
        return engine.features.online(view, request);
      },
      async service(request) {
        for (const asked of request.views) await requireView(typeof asked === 'string' ? asked : asked.view);
        return engine.features.service(request);
      },
      async historical(request) {
        for (const view of request.views) await requireView(typeof view === 'string' ? view : view.name);
        return engine.features.historical(request);
      },
    },
  };
}

interface Named {
  streams: (JsonValue | undefined)[];
  views: (JsonValue | undefined)[];
}

/** What legs read. A definition is checked when it is called, so here a leg may be anything. */
function namedBy(include: unknown): Named {
  const legsOf = (kind: string): JsonObject[] => {
    const given = isJsonObject(include) ? (include[kind] ?? []) : null;
    return (Array.isArray(given) ? given : [given]).map(leg => (isJsonObject(leg) ? leg : {}));
  };
  return {
    streams: ['rows', 'events', 'documents'].flatMap(legsOf).map(({ stream }) => stream),
    views: legsOf('features').map(({ view }) => view),
  };
}
