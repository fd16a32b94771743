/** The components of a deployment that requests are counted by, by the first part of their keys. */
const COMPONENTS: Readonly<Record<string, string>> = {
  log: 'log',
  catalog: 'catalog',
  tables: 'states',
  vectors: 'vectors',
  iceberg: 'iceberg',
  warehouse: 'iceberg',
  lance: 'lance',
  features: 'features',
  pins: 'pins',
  leases: 'leases',
};

export function componentOf(key: string): string {
  return COMPONENTS[key.split('/', 1)[0]] ?? 'other';
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
    case 'iceberg':
    case 'vectors':
      return true;
    default:
      return false;
  }
}
