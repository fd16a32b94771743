import { type JsonObject, TailwaterError } from '../../base/index.ts';

export function invalid(at: string, problem: string): TailwaterError {
  return new TailwaterError('TW_VIEW_DEFINITION', { detail: `${at} ${problem}.`, data: { path: at } });
}

/** Misspelt members would be settings that silently do nothing. */
export function requireMembers(source: JsonObject, at: string, required: readonly string[], optional: readonly string[]): void {
  for (const name of required) if (source[name] === undefined) throw invalid(`${at}.${name}`, 'is missing');
  const unknown = Object.keys(source).find(name => !required.includes(name) && !optional.includes(name));
  if (unknown !== undefined) {
    throw invalid(`${at}.${unknown.slice(0, 100)}`, `is unknown here; known are ${[...required, ...optional].join(', ')}`);
  }
}
