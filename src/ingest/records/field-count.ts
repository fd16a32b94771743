import type { JsonValue } from '../../base/index.ts';

/** A field takes at least this much text, `"":0`, so that short records need no counting. */
const BYTES_PER_FIELD = 4;

/** Whether a value has more distinct paths than allowed; elements of arrays share theirs. */
export function hasTooManyFields(value: JsonValue, textLength: number, maxFields: number): boolean {
  if (textLength <= maxFields * BYTES_PER_FIELD) return false;
  const paths = new Set<string>();
  const stack: { value: JsonValue; path: string }[] = [{ value, path: '' }];
  while (stack.length > 0 && paths.size <= maxFields) {
    const { value: node, path } = stack.pop()!;
    if (typeof node !== 'object' || node === null) continue;
    for (const [name, child] of Object.entries(node)) {
      const childPath = Array.isArray(node) ? path : `${path}\u0000${name}`;
      paths.add(childPath);
      stack.push({ value: child, path: childPath });
      if (paths.size > maxFields) break;
    }
  }
  return paths.size > maxFields;
}
