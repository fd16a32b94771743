import type { TableStore } from '../../lakehouse/index.ts';
import type { CollectorOptions } from './collector.ts';

/** Tables whose versions are pruned where they are compacted. */
export function collectedTables(tables: TableStore, { prune }: Pick<TableStore, 'prune'>): CollectorOptions['tables'] {
  return {
    prune: (definition, keep) => prune(definition, keep),
    drop: incarnation => tables.drop(incarnation),
    incarnations: () => tables.incarnations(),
    otherFiles: async (definition, keep) => (await tables.otherFiles?.(definition, keep)) ?? [],
    removeOthers: async (definition, names) => tables.removeOthers?.(definition, names),
  };
}
