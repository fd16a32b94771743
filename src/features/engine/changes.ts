import { canonicalDefinition } from '../definition/canonical.ts';
import type { FeatureViewDefinition } from '../definition/types.ts';

export interface FeatureChange {
  feature: string;
  change: 'added' | 'removed' | 'changed' | 'same';
}

/** What a new definition does to each feature. A change of the source, the entity or the time to live is one of every feature. */
export function changesBetween(before: FeatureViewDefinition | null, after: FeatureViewDefinition): FeatureChange[] {
  const next = featuresOf(after);
  const last = before === null ? new Map<string, string>() : featuresOf(before);
  const changes: FeatureChange[] = [...next].map(([feature, text]) => {
    const known = last.get(feature);
    return { feature, change: known === undefined ? 'added' : known === text ? 'same' : 'changed' };
  });
  for (const feature of last.keys()) if (!next.has(feature)) changes.push({ feature, change: 'removed' });
  return changes;
}

export function changesServedValues(changes: readonly FeatureChange[]): boolean {
  return changes.some(({ change }) => change === 'changed' || change === 'removed');
}

/** Each feature with all that its values depend on, as text. An expression depends on every other feature by its name. */
function featuresOf(definition: FeatureViewDefinition): Map<string, string> {
  const { features, history: _history, historyMs: _historyMs, ...shared } = canonicalDefinition(definition);
  const own = features as Record<string, object>;
  const aggregates = Object.values(own).filter(feature => !('expression' in feature));
  return new Map(
    Object.entries(own).map(([name, feature]) => [
      name,
      JSON.stringify([shared, feature, 'expression' in feature ? [aggregates, namesOf(own)] : null]),
    ]),
  );
}

function namesOf(features: Record<string, object>): [string, object][] {
  return Object.entries(features).filter(([, feature]) => 'expression' in feature);
}
