import { TailwaterError } from './errors.ts';

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;

export interface JsonObject {
  [name: string]: JsonValue;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether objects and arrays are nested in each other more than `levels` times: a value of no object and no array has 0 levels. */
export function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && isDeeperThan(member, levels - 1)) return true;
  }
  return false;
}

/** The value at a dotted path; an own name that contains the whole path wins. Undefined when absent. Arrays are not entered. */
export function valueAt(value: JsonValue, path: string): JsonValue | undefined {
  if (!isJsonObject(value)) return undefined;
  if (Object.hasOwn(value, path)) return value[path];
  const dot = path.indexOf('.');
  if (dot < 0) return undefined;
  const head = path.slice(0, dot);
  return Object.hasOwn(value, head) ? valueAt(value[head], path.slice(dot + 1)) : undefined;
}

/** Throws TW_VIEW_DEFINITION naming the member of a feature view that is a function: JSON would leave it out without a word. */
export function requireNoFunctions(value: unknown, at = ''): void {
  if (typeof value === 'function') {
    throw new TailwaterError('TW_VIEW_DEFINITION', {
      detail: `${at} is a function, which JSON cannot carry; add it with onDemand(view, …).`,
      data: { path: at },
    });
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [name, member] of Object.entries(value)) requireNoFunctions(member, at === '' ? name : `${at}.${name}`);
}
