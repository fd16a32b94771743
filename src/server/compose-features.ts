import { Datasets } from '../features/index.ts';
import type { StreamDefinition } from '../streams/index.ts';
import { EngineFeatures } from './engine-features.ts';
import type { Parts } from './engine-parts.ts';
import { recordKeeper } from './record-keeper.ts';
import type { Tagging } from './tagging.ts';

export interface FeatureHooks {
  find(stream: string): Promise<StreamDefinition>;
  /** Asked for when it is needed: it is made later. */
  tagging(): Tagging;
  /** This node defined, changed or removed a view. */
  onChange(): void;
}

/** The features of a node, with datasets whose records are kept by tags. */
export function composeFeatures({ settings, folder, catalog, features, answers }: Parts, hooks: FeatureHooks): EngineFeatures {
  const { clock, random, roles } = settings;
  const keeper = recordKeeper({ ...hooks, catalog });
  const datasets = new Datasets({ engine: features, keeper, store: folder.store, clock, random });
  return new EngineFeatures({ engine: features, datasets, answers, roles, onChange: hooks.onChange });
}
