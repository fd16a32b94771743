/** Where tables are. Apart from all other keys: what is below these names is a stream life each, and `iceberg/` has the catalog’s document. */
export const TABLES = { lance: 'data/lance', iceberg: 'data/iceberg', warehouse: 'data/warehouse' } as const;

/** The components of a deployment that requests are counted by, by the first part of their keys. */
const COMPONENTS: Readonly<Record<string, string>> = {
  log: 'log',
  catalog: 'catalog',
  tables: 'states',
  vectors: 'vectors',
  iceberg: 'iceberg',
  features: 'features',
  pins: 'pins',
  leases: 'leases',
};

export function componentOf(key: string): string {
  const [first, second = ''] = key.split('/', 2);
  if (first === 'data') return second === 'lance' ? 'lance' : 'iceberg';
  return COMPONENTS[first] ?? 'other';
}

/**
 * Objects that are created once and read as they are: segments of the log, what table states name, vectors of segments, files of tables. Entries
 * below a floor may be served from a cache after they were deleted; whoever reads entries asks for the floor afterwards (J5).
 */
export function isImmutable(key: string): boolean {
  const parts = key.split('/');
  switch (parts[0]) {
    case 'log':
      return parts[2] === 'entries';
    case 'tables':
      return parts[2] === 'statistics';
    case 'data':
    case 'vectors':
      return true;
    default:
      return false;
  }
}
