import type { EngineLike } from '../engine-types.ts';
import { inSpan } from './span.ts';

/** Whose methods are spans as well: `tailwater.features.online`. */
const FACES = new Set<string>(['features', 'documents', 'contexts', 'steps']);

/** An engine of whose every call a span tells: `tailwater.append`, with the stream where the first argument names one. */
export function tracedEngine(engine: EngineLike): EngineLike {
  return traced(engine, 'tailwater');
}

function traced<T extends object>(target: T, prefix: string): T {
  const wrapped = new Map<PropertyKey, unknown>();
  return new Proxy(target, {
    get(_target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof property === 'symbol') return value;
      if (typeof value === 'object' && value !== null && FACES.has(property)) {
        return memo(wrapped, property, () => traced(value, `${prefix}.${property}`));
      }
      if (typeof value !== 'function') return value;
      return memo(wrapped, property, () => {
        const name = `${prefix}.${property}`;
        return (...args: unknown[]): unknown => inSpan(name, attributesOf(args), () => value.apply(target, args));
      });
    },
  });
}

function memo(known: Map<PropertyKey, unknown>, property: string, make: () => unknown): unknown {
  if (!known.has(property)) known.set(property, make());
  return known.get(property);
}

/** Streams, views and contexts come first, by name. */
function attributesOf([first]: readonly unknown[]): { 'tailwater.name'?: string } {
  return typeof first === 'string' ? { 'tailwater.name': first } : {};
}
