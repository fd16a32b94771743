import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../../../src/base/index.ts';
import { evaluateView, type FeatureDefinition, planView, ViewState, type WindowDefinition } from '../../../src/features/index.ts';
import { entityOfValue } from '../../../src/features/state/entity-key.ts';
import { viewOf } from '../support.ts';

/** How a value of theirs is read beside one of ours. */
type Mode =
  | null
  /** Single precision, or text of six decimals. */
  | 'float'
  /** As `float`, where the answer lists this category; null: it lists others. */
  | 'listed'
  /** The value of n rows before, of a list of n+1. */
  | 'lag'
  /** The frequent values without their counts. */
  | 'keys'
  | 'list';

/** Inputs and outputs of one window of one of their cases, a line a case. */
interface Fact {
  /** File and number of the case. */
  case: string;
  /** Rows come in the order of the case, late ones too, and each is answered when it comes. Otherwise they come by time. */
  arrival?: true;
  columns: string[];
  rows: JsonValue[][];
  partition: string[];
  order: string;
  window: { rows: number } | { sliding: number; bounds: '(]' | '[)' | '[]' } | { lifetime: 1 };
  features: [measure: JsonObject, mode: Mode][];
  /** By row, by feature. */
  expected: JsonValue[][];
}

const FACTS: Fact[] = readFileSync(new URL('./openmldb.ndjson', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map(line => JSON.parse(line));

function windowOf({ window }: Fact): WindowDefinition {
  if ('lifetime' in window) return 'lifetime';
  return 'rows' in window ? window : { sliding: `${window.sliding}ms`, bounds: window.bounds };
}

/** What each row sees when it has come. */
function answersOf(fact: Fact): JsonValue[][] {
  const window = windowOf(fact);
  const features = fact.features.map(([measure], index): [string, FeatureDefinition] => [
    `f${index}`,
    { ...measure, window } as FeatureDefinition,
  ]);
  const definition = viewOf(Object.fromEntries(features), { entity: fact.partition });
  const plan = planView(definition);
  const state = new ViewState(plan, { keepsAll: true });
  const time = fact.columns.indexOf(fact.order);
  const places = [...fact.rows.keys()];
  if (!fact.arrival) places.sort((a, b) => Number(fact.rows[a][time]) - Number(fact.rows[b][time]) || a - b);
  const answers: JsonValue[][] = new Array(fact.rows.length);
  for (const [seq, place] of places.entries()) {
    const value = Object.fromEntries(fact.columns.map((column, index) => [column, fact.rows[place][index]]));
    const timeMs = Number(fact.rows[place][time]);
    state.apply({ seq: seq + 1, key: null, timeMs, ingestedAtMs: timeMs, value });
    const answer = evaluateView(plan, state.entity(entityOfValue(fact.partition, value)!), timeMs);
    answers[place] = features.map(([name]) => answer[name].value);
  }
  return answers;
}

function same(mode: Mode, measure: JsonObject, ours: JsonValue, theirs: JsonValue): boolean {
  switch (mode) {
    case 'lag': {
      const list = (ours ?? []) as JsonValue[];
      return (list.length > Number(measure.n) - 1 ? list[0] : null) === theirs;
    }
    case 'keys':
      return ((ours ?? []) as JsonObject[]).map(({ value }) => String(value)).join() === (theirs as JsonValue[]).join();
    case 'list':
      return JSON.stringify(ours ?? []) === JSON.stringify(theirs);
    case 'listed':
      return theirs === null || near(ours, theirs, 1e-5);
    default:
      return near(ours, theirs, mode === 'float' ? 1e-5 : 1e-12);
  }
}

/** They add doubles from left to right; ours are sums rounded once. */
function near(ours: JsonValue, theirs: JsonValue, tolerance: number): boolean {
  if (typeof ours !== 'number' || typeof theirs !== 'number') return ours === theirs;
  return Math.abs(ours - theirs) <= tolerance * Math.max(1, Math.abs(theirs));
}

describe('OpenMLDB', () => {
  test.each(FACTS.map(fact => [fact.case, JSON.stringify(fact.window), fact] as const))('%s over %s', (_case, _window, fact) => {
    const answers = answersOf(fact);
    const differing = fact.expected.flatMap((row, place) =>
      row.flatMap((theirs, index) => {
        const [measure, mode] = fact.features[index];
        const ours = answers[place][index];
        return same(mode, measure, ours, theirs) ? [] : [{ row: place, measure, mode, ours, theirs }];
      }),
    );
    expect(differing).toEqual([]);
  });
});
