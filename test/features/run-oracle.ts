import { seededRandom } from '../../src/base/index.ts';
import {
  decodeViewState,
  encodeViewState,
  evaluateView,
  parseDefinition,
  planView,
  ViewState,
} from '../../src/features/index.ts';
import { differenceOf } from './compare.ts';
import { Draw } from './draw.ts';
import { Oracle } from './oracle.ts';

const START_MS = 1_767_225_600_000;
const ENTITIES = ['u1', 'u2', '3', 'nobody'];

interface OracleRun {
  /** Features compared. */
  queries: number;
  differences: string[];
}

/**
 * One history: a definition, a log of records with late, duplicate-time, deleted and updated ones, and between them questions at instants
 * within the view's history. Sometimes the state is put through a checkpoint.
 */
export function runSeed(seed: number): OracleRun {
  const draw = new Draw(seededRandom(seed));
  const definition = parseDefinition(JSON.parse(JSON.stringify(draw.definition())));
  const plan = planView(definition);
  const options = { upsert: draw.chance(0.5), keepsAll: draw.chance(0.3) };
  const oracle = new Oracle(definition, options.upsert);
  let state = new ViewState(plan, options);
  let nowMs = START_MS + draw.int(0, 1_000_000);
  const run: OracleRun = { queries: 0, differences: [] };
  // Long ones reach summaries of summaries of rows.
  const events = draw.chance(0.03) ? 4000 : draw.of([5, 40, 150, 400]);
  const questions = 60 / events;
  const paceMs = draw.of([10, 300, 3000]);
  for (let seq = 1; seq <= events; seq++) {
    nowMs += draw.int(1, paceMs);
    const event = draw.event(seq, nowMs);
    oracle.add(event);
    state.apply(event);
    if (draw.chance(0.03)) state = decodeViewState(encodeViewState(state), plan, options)!;
    for (let left = questions; left > 0; left--) if (draw.chance(Math.min(1, left))) ask(nowMs);
  }
  return run;

  function ask(atMost: number): void {
    const sinceMs = Math.max(state.sinceMs, START_MS);
    const atMs = draw.chance(0.4) ? atMost + draw.int(0, 3000) : draw.int(sinceMs, Math.max(sinceMs, atMost));
    const entity = draw.of(ENTITIES);
    const answers = evaluateView(plan, state.entity(entity), atMs);
    const expected = oracle.at(entity, atMs);
    for (const [name, answer] of Object.entries(answers)) {
      run.queries++;
      const difference = differenceOf(definition, name, answer, expected[name]);
      if (difference !== null) run.differences.push(`seed ${seed}, ${entity} at ${atMs}: ${difference}`);
    }
  }
}
