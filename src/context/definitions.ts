import { type Clock, type JsonValue, type Random, TailwaterError } from '../base/index.ts';
import { type ObjectStore, VersionedDocument } from '../storage/index.ts';
import type { ContextRequest } from './context-types.ts';
import {
  type ContextCall,
  type ContextDefinition,
  type ContextInfo,
  definitionVersion,
  parseContextDefinition,
  requestOf,
} from './parameters.ts';

const MAX_PAST_VERSIONS = 32;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

interface StoredVersion {
  version: string;
  definition: ContextDefinition;
  appliedAtMs: number;
}

interface StoredContext {
  name: string;
  /** Newest first; never empty. */
  versions: StoredVersion[];
}

interface Stored {
  formatVersion: 1;
  contexts: StoredContext[];
}

/** The contexts that have names: one document of the object store, changed by compare-and-swap. */
export class ContextDefinitions {
  readonly #document: VersionedDocument<Stored>;
  readonly #clock: Clock;

  constructor(store: ObjectStore, clock: Clock, random: Random) {
    this.#document = new VersionedDocument<Stored>(store, 'contexts/definitions', undefined, random);
    this.#clock = clock;
  }

  /** Defines a context, or a new version of it; the same again changes nothing. Throws TW_BAD_REQUEST. */
  async apply(name: string, given: JsonValue): Promise<ContextInfo> {
    if (!NAME.test(name)) {
      throw new TailwaterError('TW_BAD_REQUEST', {
        detail: 'A context’s name has 1-200 letters, digits, dots, dashes and underscores, and starts with a letter or digit.',
      });
    }
    const definition = parseContextDefinition(given);
    const applied = { version: definitionVersion(definition), definition, appliedAtMs: this.#clock.nowMs() };
    const stored = await this.#document.update(before => {
      const known = before?.contexts ?? [];
      const versions = known.find(context => context.name === name)?.versions ?? [];
      if (versions[0]?.version === applied.version) return null;
      const kept = versions.filter(({ version }) => version !== applied.version).slice(0, MAX_PAST_VERSIONS);
      const contexts = [...known.filter(context => context.name !== name), { name, versions: [applied, ...kept] }];
      return { formatVersion: 1, contexts: contexts.sort((a, b) => (a.name < b.name ? -1 : 1)) };
    });
    return infoOf(stored!.contexts.find(context => context.name === name)!);
  }

  async list(): Promise<ContextInfo[]> {
    return (await this.#stored()).map(infoOf);
  }

  /** Throws TW_CONTEXT_NOT_FOUND. */
  async get(name: string): Promise<ContextInfo> {
    return infoOf(await this.#require(name));
  }

  /** Throws TW_CONTEXT_NOT_FOUND. Its versions can no longer be called. */
  async remove(name: string): Promise<void> {
    let removed = false;
    await this.#document.update(before => {
      removed = before?.contexts.some(context => context.name === name) ?? false;
      return removed ? { formatVersion: 1, contexts: before!.contexts.filter(context => context.name !== name) } : null;
    });
    if (!removed) throw notFound(name);
  }

  /** The request that a call means. Throws TW_CONTEXT_NOT_FOUND, TW_CONTEXT_PARAMETERS. */
  async request(name: string, call: ContextCall): Promise<ContextRequest> {
    const unknown = Object.keys(call).find(
      member => !['params', 'version', 'budget', 'consistency', 'deadlineMs'].includes(member),
    );
    if (unknown !== undefined)
      throw new TailwaterError('TW_BAD_REQUEST', { detail: `A call has no member "${unknown.slice(0, 200)}".` });
    const { versions } = await this.#require(name);
    const found = call.version === undefined ? versions[0] : versions.find(({ version }) => version === call.version);
    if (found === undefined) throw notFound(name, call.version);
    return requestOf(name, found.definition, call);
  }

  async #require(name: string): Promise<StoredContext> {
    const found = (await this.#stored()).find(context => context.name === name);
    if (found === undefined) throw notFound(name);
    return found;
  }

  async #stored(): Promise<StoredContext[]> {
    const stored = await this.#document.read();
    if (stored === null) return [];
    if (stored.value.formatVersion > 1) {
      throw new TailwaterError('TW_FORMAT_TOO_NEW', { detail: `contexts/definitions has format ${stored.value.formatVersion}.` });
    }
    return stored.value.contexts;
  }
}

function infoOf({ name, versions: [current, ...past] }: StoredContext): ContextInfo {
  return {
    name,
    version: current.version,
    definition: current.definition,
    appliedAt: new Date(current.appliedAtMs).toISOString(),
    past: past.map(({ version, appliedAtMs }) => ({ version, appliedAt: new Date(appliedAtMs).toISOString() })),
  };
}

function notFound(name: string, version?: string): TailwaterError {
  const which = version === undefined ? '' : ` of version "${String(version).slice(0, 40)}"`;
  return new TailwaterError('TW_CONTEXT_NOT_FOUND', { detail: `There is no context "${String(name).slice(0, 220)}"${which}.` });
}
