import { TailwaterError } from '../../base/index.ts';
import { type Id, isId, isMap, type Json, type JsonMap } from '../iceberg/exact-json.ts';

/** Members of what a client sent, of the type they must have; anything else is TW_BAD_REQUEST with the member's name. */
export function mapAt(map: JsonMap, name: string): JsonMap {
  const value = own(map, name);
  return isMap(value) ? value : wrong(name, 'an object');
}

export function arrayAt(map: JsonMap, name: string): Json[] {
  const value = own(map, name);
  return Array.isArray(value) ? value : wrong(name, 'an array');
}

export function mapsAt(map: JsonMap, name: string): JsonMap[] {
  return arrayAt(map, name).map(each => (isMap(each) ? each : wrong(name, 'an array of objects')));
}

export function textAt(map: JsonMap, name: string): string {
  const value = own(map, name);
  return typeof value === 'string' ? value : wrong(name, 'a string');
}

export function textsAt(map: JsonMap, name: string): string[] {
  return arrayAt(map, name).map(each => (typeof each === 'string' ? each : wrong(name, 'an array of strings')));
}

/** Texts by name: properties. */
export function textMapAt(map: JsonMap, name: string): Record<string, string> {
  const entries = Object.entries(mapAt(map, name));
  return Object.fromEntries(
    entries.map(([key, value]) => [key, typeof value === 'string' ? value : wrong(`${name}.${key}`, 'a string')]),
  );
}

/** A small integer: an id of a schema, field, spec or order. */
export function integerAt(map: JsonMap, name: string): number {
  const value = own(map, name);
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : wrong(name, 'an integer');
}

export function idAt(map: JsonMap, name: string): Id {
  const value = own(map, name);
  return isId(value) ? value : wrong(name, 'an integer');
}

export function idsAt(map: JsonMap, name: string): Id[] {
  return arrayAt(map, name).map(each => (isId(each) ? each : wrong(name, 'an array of integers')));
}

export function has(map: JsonMap, name: string): boolean {
  const value = own(map, name);
  return value !== undefined && value !== null;
}

/** TW_BAD_REQUEST. */
export function refuse(detail: string): never {
  throw new TailwaterError('TW_BAD_REQUEST', { detail });
}

function own(map: JsonMap, name: string): Json | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined;
}

function wrong(name: string, what: string): never {
  throw new TailwaterError('TW_BAD_REQUEST', { detail: `"${name}" must be ${what}.`, data: { field: name } });
}
