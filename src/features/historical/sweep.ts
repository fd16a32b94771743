import type { JsonValue } from '../../base/index.ts';
import { evaluateView } from '../evaluate.ts';
import { evaluate } from '../expression/evaluate.ts';
import type { ViewPlan } from '../plan.ts';
import { entityOfValue } from '../state/entity-key.ts';
import { type FeatureEvent, ViewState } from '../state/view-state.ts';
import { EventColumns } from './event-columns.ts';
import { slideEntity } from './slide.ts';
import type { SpineRow } from './spine.ts';

export interface SweepOptions {
  upsert: boolean;
  /** Only what was ingested by a row's time is known to it. */
  asSeen: boolean;
}

export type FeatureRow = Record<string, JsonValue>;

/** Features of many entities at many instants, point in time, from all events of a stream. */
export interface Sweep {
  /** Events come in log order. */
  apply(event: FeatureEvent): void;
  /** After the last event: values by the index of the spine's rows. */
  finish(): FeatureRow[];
}

export function sweepOf(plan: ViewPlan, spine: readonly SpineRow[], options: SweepOptions): Sweep {
  return options.upsert || options.asSeen ? new StateSweep(plan, spine, options) : new SlidingSweep(plan, spine);
}

/** Where rows are never replaced and all is known to all: windows slide over the sorted rows of each entity. */
class SlidingSweep implements Sweep {
  readonly #plan: ViewPlan;
  readonly #spine: readonly (readonly SpineRow[])[];
  readonly #size: number;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #events: EventColumns;

  constructor(plan: ViewPlan, spine: readonly SpineRow[]) {
    this.#plan = plan;
    this.#size = spine.length;
    const groups = Map.groupBy(spine, row => row.entity);
    this.#spine = [...groups.values()];
    this.#numbers = new Map([...groups.keys()].map((entity, number) => [entity, number]));
    this.#events = new EventColumns(plan, groups.size);
  }

  apply({ timeMs, value }: FeatureEvent): void {
    const entity = value === null ? null : entityOfValue(this.#plan.entity, value);
    const number = entity === null ? undefined : this.#numbers.get(entity);
    if (number !== undefined) this.#events.push(number, timeMs, value);
  }

  finish(): FeatureRow[] {
    const answers = new Array<FeatureRow>(this.#size);
    for (const { entity, rows } of this.#events.byEntity()) {
      const rising = this.#spine[entity].toSorted((a, b) => a.timeMs - b.timeMs);
      const values = slideEntity(
        this.#plan,
        rows,
        Float64Array.from(rising, row => row.timeMs),
      );
      for (const [at, row] of rising.entries()) answers[row.index] = this.#rowOf(row, values, at);
    }
    return answers;
  }

  #rowOf({ values: request }: SpineRow, values: readonly JsonValue[][], at: number): FeatureRow {
    const { aggregates, expressions, names } = this.#plan;
    const answer: FeatureRow = {};
    // In the order of the definition, whatever is computed first.
    if (expressions.length > 0) for (const name of names) answer[name] = null;
    for (let index = 0; index < aggregates.length; index++) answer[aggregates[index].name] = values[index][at];
    for (const { name, expression } of expressions) {
      answer[name] = evaluate(
        expression,
        used => (Object.hasOwn(answer, used) ? answer[used] : null) ?? (Object.hasOwn(request, used) ? request[used] : undefined),
      );
    }
    return answer;
  }
}

/**
 * Where rows are replaced, or each row knows only what had been ingested: each event goes into the state of its entity once, in log order, and each
 * row is one read of it. With `asSeen` rows are read between the events, in the order of their time.
 */
class StateSweep implements Sweep {
  readonly #plan: ViewPlan;
  readonly #options: SweepOptions;
  readonly #state: ViewState;
  readonly #entities: ReadonlySet<string>;
  /** Rows that are left, the next one last. */
  readonly #left: SpineRow[];
  readonly #answers: FeatureRow[];
  /** Keys whose row is or was of an entity asked for. */
  readonly #keys = new Set<string>();

  constructor(plan: ViewPlan, spine: readonly SpineRow[], options: SweepOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#state = new ViewState(plan, { upsert: options.upsert, keepsAll: true });
    this.#entities = new Set(spine.map(row => row.entity));
    this.#left = [...spine].sort((a, b) => b.timeMs - a.timeMs);
    this.#answers = new Array(spine.length);
  }

  apply(event: FeatureEvent): void {
    if (this.#options.asSeen) this.#readBefore(event.ingestedAtMs);
    if (this.#concerns(event)) this.#state.apply(event);
  }

  finish(): FeatureRow[] {
    this.#readBefore(Number.POSITIVE_INFINITY);
    return this.#answers;
  }

  #readBefore(ingestedAtMs: number): void {
    for (let row = this.#left.at(-1); row !== undefined && row.timeMs < ingestedAtMs; row = this.#left.at(-1)) {
      const answers = evaluateView(this.#plan, this.#state.entity(row.entity), row.timeMs, row.values);
      this.#answers[row.index] = Object.fromEntries(Object.entries(answers).map(([name, { value }]) => [name, value]));
      this.#left.pop();
    }
  }

  #concerns({ key, value }: FeatureEvent): boolean {
    const entity = value === null ? null : entityOfValue(this.#plan.entity, value);
    const asked = entity !== null && this.#entities.has(entity);
    if (!this.#options.upsert || key === null) return asked;
    if (asked) this.#keys.add(key);
    return asked || this.#keys.has(key);
  }
}
