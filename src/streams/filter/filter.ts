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
