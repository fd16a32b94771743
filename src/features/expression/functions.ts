import type { JsonValue } from '../../base/index.ts';

interface FunctionRule {
  least: number;
  most: number;
  call(parameters: readonly JsonValue[]): JsonValue;
}

/** Null where a parameter is no number, or the result is none. */
function numeric(count: number, compute: (...numbers: number[]) => number, most = count): FunctionRule {
  return {
    least: count,
    most,
    call: parameters => {
      if (!parameters.every(parameter => typeof parameter === 'number')) return null;
      return numberOrNull(compute(...parameters));
    },
  };
}

export function numberOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

const MANY = 100;

/** Every function is pure: of its parameters only. */
export const FUNCTIONS: Readonly<Record<string, FunctionRule>> = {
  abs: numeric(1, Math.abs),
  ceil: numeric(1, Math.ceil),
  exp: numeric(1, Math.exp),
  floor: numeric(1, Math.floor),
  ln: numeric(1, Math.log),
  log10: numeric(1, Math.log10),
  log1p: numeric(1, Math.log1p),
  max: numeric(1, Math.max, MANY),
  min: numeric(1, Math.min, MANY),
  pow: numeric(2, Math.pow),
  round: numeric(1, Math.round),
  sign: numeric(1, Math.sign),
  sqrt: numeric(1, Math.sqrt),
  coalesce: { least: 1, most: MANY, call: parameters => parameters.find(parameter => parameter !== null) ?? null },
  contains: {
    least: 2,
    most: 2,
    call: ([list, wanted]) => {
      if (typeof list === 'string') return typeof wanted === 'string' && list.includes(wanted);
      return Array.isArray(list) ? list.includes(wanted) : null;
    },
  },
  length: {
    least: 1,
    most: 1,
    call: ([value]) => (typeof value === 'string' || Array.isArray(value) ? value.length : null),
  },
  lower: { least: 1, most: 1, call: ([text]) => (typeof text === 'string' ? text.toLowerCase() : null) },
  upper: { least: 1, most: 1, call: ([text]) => (typeof text === 'string' ? text.toUpperCase() : null) },
  at: {
    least: 2,
    most: 2,
    call: ([list, index]) => (Array.isArray(list) && typeof index === 'number' ? (list.at(index) ?? null) : null),
  },
};
