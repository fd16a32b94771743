import { isTailwaterError, type JsonObject, type JsonValue } from '../../base/index.ts';
import { parseFilter } from '../../streams/index.ts';
import { parseWindowMs } from './duration.ts';
import { AGGREGATE_RULES, isAggregateName } from './measures.ts';
import { invalid, requireMembers } from './problems.ts';

const MAX_LIST = 1000;
const MAX_BOUND = 1_000_000;
const MAX_PATH = 1000;

type Check = (value: JsonValue, at: string) => void;

/** Throws TW_VIEW_DEFINITION unless the object is an aggregation; `around`: members beside it that are checked elsewhere. */
export function checkMeasure(measure: JsonObject, at: string, around: readonly string[]): void {
  const { aggregate } = measure;
  if (!isAggregateName(aggregate)) {
    throw invalid(
      `${at}.aggregate`,
      `is ${JSON.stringify(aggregate ?? null)}; known are ${Object.keys(AGGREGATE_RULES).join(', ')}, ratio`,
    );
  }
  const { required, optional } = AGGREGATE_RULES[aggregate];
  const own = ['aggregate', ...required];
  requireMembers(measure, at, own, ['where', ...optional, ...around]);
  for (const [name, check] of Object.entries(CHECKS)) {
    if (measure[name] !== undefined) check(measure[name], `${at}.${name}`);
  }
  if (measure.where !== undefined) checkWhere(measure.where, `${at}.where`);
}

function checkWhere(where: JsonValue, at: string): void {
  try {
    parseFilter(where);
  } catch (error) {
    if (isTailwaterError(error)) throw invalid(at, `is no filter: ${error.message.replace(/\.$/, '')}`);
    throw error;
  }
}

const CHECKS: Readonly<Record<string, Check>> = {
  field: (value, at) => {
    if (typeof value !== 'string' || value === '' || value.length > MAX_PATH) throw invalid(at, 'must be a field');
  },
  n: wholeNumber(1, MAX_LIST),
  exactUpTo: wholeNumber(16, MAX_BOUND),
  dimensions: wholeNumber(1, 65_536),
  population: (value, at) => {
    if (typeof value !== 'boolean') throw invalid(at, 'must be true or false');
  },
  boundaries: (value, at) => {
    const numbers = numbersOf(value, at);
    if (numbers.some((number, index) => index > 0 && number <= numbers[index - 1])) throw invalid(at, 'must rise');
  },
  quantiles: (value, at) => {
    if (numbersOf(value, at).some(number => number < 0 || number > 1)) throw invalid(at, 'must be numbers from 0 to 1');
  },
  accuracy: (value, at) => {
    if (typeof value !== 'number' || !(value >= 0.0001 && value <= 0.5)) throw invalid(at, 'must be a number from 0.0001 to 0.5');
  },
  halfLife: (value, at) => {
    const ms = typeof value === 'string' ? parseWindowMs(value) : null;
    if (ms === null || ms === 0) throw invalid(at, 'must be a duration longer than 0, such as "1h"');
  },
};

function wholeNumber(least: number, most: number): Check {
  return (value, at) => {
    if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
      throw invalid(at, `must be a whole number from ${least} to ${most}`);
    }
  };
}

function numbersOf(value: JsonValue, at: string): number[] {
  const valid = Array.isArray(value) && value.length > 0 && value.length <= MAX_LIST && value.every(Number.isFinite);
  if (!valid) throw invalid(at, `must be a list of 1 to ${MAX_LIST} numbers`);
  return value as number[];
}
