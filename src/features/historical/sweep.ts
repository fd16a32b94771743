import { evaluateView, type FeatureAnswer } from '../evaluate.ts';
import type { ViewPlan } from '../plan.ts';
import { entityOfValue } from '../state/entity-key.ts';
import { type FeatureEvent, ViewState } from '../state/view-state.ts';
import type { SpineRow } from './spine.ts';

export interface SweepOptions {
  upsert: boolean;
  /** Only what was ingested by a row's time is known to it. */
  asSeen: boolean;
}

/**
 * Features of many entities at many instants, point in time: each event goes into the state of its entity once, in log order, and each row is
 * one read of it. With `asSeen` rows are read between the events, in the order of their time.
 */
export class SpineSweep {
  readonly #plan: ViewPlan;
  readonly #options: SweepOptions;
  readonly #state: ViewState;
  readonly #entities: ReadonlySet<string>;
  /** Rows that are left, the next one last. */
  readonly #left: SpineRow[];
  readonly #answers: Record<string, FeatureAnswer>[];
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

  /** Events come in log order. */
  apply(event: FeatureEvent): void {
    if (this.#options.asSeen) this.#readBefore(event.ingestedAtMs);
    if (this.#concerns(event)) this.#state.apply(event);
  }

  /** After the last event: the answers in the order of the spine's indices. */
  finish(): Record<string, FeatureAnswer>[] {
    this.#readBefore(Number.POSITIVE_INFINITY);
    return this.#answers;
  }

  #readBefore(ingestedAtMs: number): void {
    for (let row = this.#left.at(-1); row !== undefined && row.timeMs < ingestedAtMs; row = this.#left.at(-1)) {
      this.#answers[row.index] = evaluateView(this.#plan, this.#state.entity(row.entity), row.timeMs, row.values);
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
