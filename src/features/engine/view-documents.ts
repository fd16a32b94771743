import type { Clock, Random } from '../../base/index.ts';
import { TailwaterError } from '../../base/index.ts';
import { type ObjectStore, VersionedDocument } from '../../storage/index.ts';
import { versionOf } from '../definition/canonical.ts';
import type { FeatureViewDefinition } from '../definition/types.ts';
import { changesBetween, changesServedValues } from './changes.ts';

/** Definitions that a view had before, newest first. */
const MAX_PAST_VERSIONS = 32;

export interface StoredVersion {
  version: string;
  definition: FeatureViewDefinition;
  appliedAtMs: number;
}

/** A view as it is stored: `current` first, what it was before after it. */
export interface StoredView {
  name: string;
  current: StoredVersion;
  past: StoredVersion[];
}

interface Views {
  formatVersion: 1;
  views: StoredView[];
}

/** The definitions of all views: one document of the object store, changed by compare-and-swap. */
export class ViewDocuments {
  readonly #document: VersionedDocument<Views>;
  readonly #clock: Clock;

  constructor(store: ObjectStore, clock: Clock, random: Random) {
    this.#document = new VersionedDocument<Views>(store, 'features/views', undefined, random);
    this.#clock = clock;
  }

  async list(): Promise<StoredView[]> {
    const stored = await this.#document.read();
    if (stored === null) return [];
    if (stored.value.formatVersion > 1) {
      throw new TailwaterError('TW_FORMAT_TOO_NEW', { detail: `features/views has format ${stored.value.formatVersion}.` });
    }
    return stored.value.views;
  }

  /**
   * Makes a definition the current one. The same again changes nothing. Throws TW_VIEW_CHANGED when values that are served would change and
   * `replaces` does not name the version that is served.
   */
  async apply(name: string, definition: FeatureViewDefinition, replaces: string | undefined): Promise<StoredView> {
    const applied: StoredVersion = { version: versionOf(definition), definition, appliedAtMs: this.#clock.nowMs() };
    const views = await this.#document.update(before => {
      const known = before?.views ?? [];
      const view = known.find(candidate => candidate.name === name);
      if (view?.current.version === applied.version) return null;
      if (view !== undefined) requireConsent(view, definition, replaces);
      const past = view === undefined ? [] : [view.current, ...view.past].slice(0, MAX_PAST_VERSIONS);
      const others = known.filter(candidate => candidate.name !== name);
      return {
        formatVersion: 1,
        views: [...others, { name, current: applied, past }].sort((a, b) => (a.name < b.name ? -1 : 1)),
      };
    });
    return views!.views.find(view => view.name === name)!;
  }

  /** False when there was none. */
  async remove(name: string): Promise<boolean> {
    let removed = false;
    await this.#document.update(before => {
      removed = before?.views.some(view => view.name === name) ?? false;
      return removed ? { formatVersion: 1, views: before!.views.filter(view => view.name !== name) } : null;
    });
    return removed;
  }
}

function requireConsent({ name, current }: StoredView, definition: FeatureViewDefinition, replaces: string | undefined): void {
  if (replaces === current.version) return;
  const changes = changesBetween(current.definition, definition);
  if (replaces === undefined && !changesServedValues(changes)) return;
  const altered = changes.filter(({ change }) => change === 'changed' || change === 'removed').map(({ feature }) => feature);
  throw new TailwaterError('TW_VIEW_CHANGED', {
    detail: `View "${name}" serves version ${current.version}; this definition changes ${altered.join(', ') || 'it'}.`,
    data: { version: current.version, changes },
  });
}
