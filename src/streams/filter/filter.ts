import type { JsonValue } from '../../base/index.ts';

/**
 * A parsed filter. The `$`-operators of the API map to these nodes; `negated` makes `$ne` of `$eq` and `$nin` of `$in`.
 * Every consumer (tail scan, SQL pushdown) sees the same meaning: the JSON value of the record, never its column.
 */
export type Filter =
  | { kind: 'and' | 'or'; filters: readonly Filter[] }
  | { kind: 'not'; filter: Filter }
  | { kind: 'equal'; path: string; value: JsonValue; negated: boolean }
  | { kind: 'compare'; path: string; operator: Comparison; value: number | string }
  | { kind: 'in'; path: string; values: readonly JsonValue[]; scalars: ReadonlySet<JsonValue>; negated: boolean }
  | { kind: 'exists'; path: string; exists: boolean }
  | { kind: 'contains'; path: string; value: JsonValue };

export type Comparison = 'gt' | 'gte' | 'lt' | 'lte';

/** A field that is this text, number, boolean or null. */
export interface Equality {
  path: string;
  value: string | number | boolean | null;
}

/** The first equality that every match of the filter fulfils; null: there is none. */
export function requiredEquality(filter: Filter): Equality | null {
  if (filter.kind === 'and') {
    for (const inner of filter.filters) {
      const found = requiredEquality(inner);
      if (found !== null) return found;
    }
    return null;
  }
  if (filter.kind !== 'equal' || filter.negated) return null;
  const { path, value } = filter;
  return typeof value === 'object' && value !== null ? null : { path, value };
}

/** The distinct dotted paths that a filter reads, in order of appearance. */
export function filterPaths(filter: Filter): string[] {
  const paths = new Set<string>();
  collectPaths(filter, paths);
  return [...paths];
}

function collectPaths(filter: Filter, into: Set<string>): void {
  switch (filter.kind) {
    case 'and':
    case 'or':
      for (const inner of filter.filters) collectPaths(inner, into);
      break;
    case 'not':
      collectPaths(filter.filter, into);
      break;
    default:
      into.add(filter.path);
  }
}
