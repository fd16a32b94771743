import { seededRandom } from '../../src/base/index.ts';
import {
  decodeViewState,
  encodeViewState,
  evaluateView,
  type FeatureViewDefinition,
  parseDefinition,
  planView,
  sweepOf,
  ViewState,
} from '../../src/features/index.ts';
import { differenceOf } from './compare.ts';
import { Draw } from './draw.ts';
import { durationMs, Oracle, type OracleEvent } from './oracle.ts';

const START_MS = 1_767_225_600_000;
const ENTITIES = ['u1', 'u2', '3', 'nobody'];

interface OracleRun {
  /** Features compared. */
  queries: number;
  differences: string[];
}

/**
 * One history: a definition, a log of records with late, duplicate-time, deleted and updated ones; between them questions at instants
 * within the view's history, and after them training rows at any instants. Sometimes the state is put through a checkpoint.
 */
export function runSeed(seed: number): OracleRun {
  const draw = new Draw(seededRandom(seed));
  const definition = parseDefinition(JSON.parse(JSON.stringify(draw.definition())));
  const upsert = draw.chance(0.5);
  const history = new History(seed, draw, definition, upsert);
  history.follow();
  history.compareRows();
  return history.run;
}

class History {
  readonly run: OracleRun = { queries: 0, differences: [] };
  readonly #seed: number;
  readonly #draw: Draw;
  readonly #definition: FeatureViewDefinition;
  readonly #upsert: boolean;
  readonly #oracle: Oracle;
  readonly #log: OracleEvent[] = [];
  /** Distances from an event at which it enters or leaves a window of this definition, or expires. */
  readonly #edgesMs: number[];
  /** How far back the longest window of the earliest instant that may be asked about begins. */
  readonly #horizonMs: number;
  #nowMs: number;

  constructor(seed: number, draw: Draw, definition: FeatureViewDefinition, upsert: boolean) {
    this.#seed = seed;
    this.#draw = draw;
    this.#definition = definition;
    this.#upsert = upsert;
    this.#oracle = new Oracle(definition, upsert);
    this.#edgesMs = edgesOf(definition);
    this.#horizonMs = durationMs(definition.history!) + Math.max(0, ...this.#edgesMs);
    this.#nowMs = START_MS + draw.int(0, 1_000_000);
  }

  follow(): void {
    const draw = this.#draw;
    const plan = planView(this.#definition);
    // Small blocks reach summaries of summaries, and give rows up, with few rows.
    const options = { upsert: this.#upsert, keepsAll: draw.chance(0.3), blockRows: draw.of([1, 2, 3, 8, 64]) };
    let state = new ViewState(plan, options);
    const events = draw.chance(0.02) ? 2000 : draw.of([5, 40, 150, 400]);
    const paceMs = draw.of([10, 300, 3000]);
    for (let seq = 1; seq <= events; seq++) {
      this.#nowMs += draw.int(1, paceMs);
      const event = this.#event(seq);
      this.#log.push(event);
      this.#oracle.add(event);
      state.apply(event);
      if (draw.chance(0.03)) state = decodeViewState(encodeViewState(state), plan, options)!;
      for (let left = 60 / events; left > 0; left--) if (draw.chance(Math.min(1, left))) this.#ask(state);
    }
  }

  /** Sometimes on the very edge of what is forgotten: the first instant that may be asked about still sees it, or just does not. */
  #event(seq: number): OracleEvent {
    const draw = this.#draw;
    const event = draw.event(seq, this.#nowMs);
    if (draw.chance(0.1)) event.timeMs = this.#nowMs - this.#horizonMs + draw.of([-1, 0, 1, draw.int(0, 600)]);
    return event;
  }

  /** Often one at which an event of the entity is on the very edge of a window. */
  #instant(sinceMs: number, entity: string, among: readonly OracleEvent[]): number {
    const draw = this.#draw;
    const own = among.filter(event => event.value !== null && String(event.value.user) === entity);
    const edge =
      draw.of(own.length > 0 ? own : among).timeMs + draw.of([0, ...this.#edgesMs]) + (draw.chance(0.5) ? 0 : draw.of([1, -1]));
    if (edge >= sinceMs && draw.chance(0.6)) return edge;
    if (draw.chance(0.4)) return sinceMs;
    return draw.chance(0.5) ? this.#nowMs + draw.int(0, 3000) : draw.int(sinceMs, Math.max(sinceMs, this.#nowMs));
  }

  #ask(state: ViewState): void {
    const draw = this.#draw;
    const sinceMs = Math.max(state.sinceMs, START_MS);
    const entity = draw.of(ENTITIES);
    const atMs = Math.max(sinceMs, this.#instant(sinceMs, entity, this.#log.slice(-40)));
    const expected = this.#oracle.at(entity, atMs);
    for (const [name, answer] of Object.entries(evaluateView(state.plan, state.entity(entity), atMs))) {
      this.run.queries++;
      const difference = differenceOf(this.#definition, name, answer, expected[name]);
      if (difference !== null) this.run.differences.push(`seed ${this.#seed}, ${entity} at ${atMs}: ${difference}`);
    }
  }

  compareRows(): void {
    const draw = this.#draw;
    const asSeen = draw.chance(0.3);
    const spine = Array.from({ length: 30 }, (_, index) => {
      const entity = draw.of(ENTITIES);
      return { index, entity, timeMs: this.#instant(this.#nowMs - 60_000, entity, this.#log), values: {} };
    });
    const sweep = sweepOf(planView(this.#definition), spine, { upsert: this.#upsert, asSeen });
    for (const event of this.#log) sweep.apply(event);
    for (const [index, row] of sweep.finish().entries()) {
      const { entity, timeMs } = spine[index];
      const expected = this.#oracle.at(entity, timeMs, asSeen ? timeMs : undefined);
      for (const [name, value] of Object.entries(row)) {
        this.run.queries++;
        const { status, eventTimeMs } = expected[name];
        const difference = differenceOf(this.#definition, name, { value, status, eventTimeMs }, expected[name]);
        if (difference !== null) this.run.differences.push(`seed ${this.#seed}, row of ${entity} at ${timeMs}: ${difference}`);
      }
    }
  }
}

function edgesOf({ features, ttl }: FeatureViewDefinition): number[] {
  const texts = Object.values(features).flatMap(feature => {
    if (!('window' in feature) || feature.window === 'lifetime' || 'rows' in feature.window) return [];
    const { window } = feature;
    if ('sliding' in window) return [window.sliding];
    return 'tumbling' in window ? [window.tumbling] : [window.session, window.max ?? '1d'];
  });
  if (ttl !== undefined) texts.push(ttl);
  return [...new Set(texts)].map(durationMs);
}
