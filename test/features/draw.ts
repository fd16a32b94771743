import type { JsonObject, JsonValue, Random } from '../../src/base/index.ts';
import type {
  AggregateDefinition,
  FeatureDefinition,
  FeatureViewDefinition,
  MeasureDefinition,
  WindowDefinition,
} from '../../src/features/index.ts';
import type { OracleEvent } from './oracle.ts';

/** Draws definitions and histories of events from one seed. */
export class Draw {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  int(least: number, most: number): number {
    return least + Math.floor(this.#random.float() * (most - least + 1));
  }

  chance(share: number): boolean {
    return this.#random.float() < share;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.int(0, choices.length - 1)];
  }

  definition(): FeatureViewDefinition {
    const features: Record<string, FeatureDefinition> = {};
    for (let index = this.int(1, 8); index > 0; index--) features[`f${index}`] = this.#feature();
    return {
      source: 'events',
      entity: 'user',
      features,
      history: this.of(['1s', '10s', '1m', '1h']),
      ...(this.chance(0.2) ? { ttl: this.of(['2s', '20s', '5m']) } : {}),
    };
  }

  #feature(): FeatureDefinition {
    const window = this.#window();
    if (this.chance(0.08)) {
      return { aggregate: 'ratio', numerator: this.#numeric(), denominator: this.#numeric(), window, ...this.#default() };
    }
    return { ...this.#measure(), window, ...this.#default() } as AggregateDefinition;
  }

  #default(): { default?: JsonValue } {
    return this.chance(0.2) ? { default: this.of([0, -1, 'none']) } : {};
  }

  #window(): WindowDefinition {
    const size = this.of(['1ms', '500ms', '3s', '20s', '1m', '5m']);
    switch (this.int(0, 6)) {
      case 0:
        return { tumbling: size };
      case 1:
        return { tumbling: size, complete: true };
      case 2:
        return { session: size, ...(this.chance(0.5) ? { max: this.of(['2s', '30s', '5m']) } : {}) };
      case 3:
        return { rows: this.int(1, 12) };
      case 4:
        return 'lifetime';
      default:
        return { sliding: size, ...(this.chance(0.6) ? { bounds: this.of(['(]', '[)', '[]'] as const) } : {}) };
    }
  }

  #numeric(): MeasureDefinition {
    return this.chance(0.5)
      ? { aggregate: 'count', ...this.#where() }
      : { aggregate: this.of(['sum', 'avg'] as const), field: 'amount', ...this.#where() };
  }

  #where(): { where?: JsonObject } {
    return this.chance(0.3) ? { where: this.of<JsonObject>([{ page: 'a' }, { amount: { $gt: 2 } }, { page: 'never' }]) } : {};
  }

  #measure(): MeasureDefinition {
    const where = this.#where();
    const field = this.of(['amount', 'page', 'mixed']);
    const n = this.int(1, 4);
    switch (this.int(0, 12)) {
      case 0:
        return { aggregate: 'count', ...(this.chance(0.5) ? { field } : {}), ...where };
      case 1:
      case 2:
        return { aggregate: this.of(['sum', 'avg', 'min', 'max'] as const), field: 'amount', ...where };
      case 3:
        return { aggregate: this.of(['variance', 'stddev'] as const), field: 'amount', population: this.chance(0.5), ...where };
      case 4:
        return { aggregate: this.of(['first', 'last'] as const), field, ...where };
      case 5:
        return { aggregate: this.of(['first_n', 'last_n'] as const), field, n, ...where };
      case 6:
        return { aggregate: this.of(['min_n', 'max_n'] as const), field: 'amount', n, ...where };
      case 7:
        return { aggregate: 'count_distinct', field, ...where };
      case 8:
        return { aggregate: 'top_k', field, n, ...where };
      case 9:
        return this.chance(0.5)
          ? { aggregate: 'value_counts', field: 'page', ...where }
          : { aggregate: 'histogram', field: 'amount', boundaries: [-1, 0, 2.5, 100], ...where };
      case 10:
        return { aggregate: 'percentiles', field: 'amount', quantiles: [0, 0.5, 0.9, 1], ...where };
      case 11:
        return {
          aggregate: this.of(['decayed_sum', 'decayed_avg'] as const),
          field: 'amount',
          halfLife: this.of(['700ms', '10s', '3m']),
          ...where,
        };
      default:
        return { aggregate: this.of(['vector_sum', 'vector_mean'] as const), field: 'vector', dimensions: 2, ...where };
    }
  }

  #amount(): JsonValue {
    switch (this.int(0, 9)) {
      case 0:
        return this.of([1e16, -1e16, 1e100, -1e100, 1e-100, 9007199254740994, 5e-324]);
      case 1:
        return this.of<JsonValue>([null, 'text', true, 0]);
      case 2:
      case 3:
        return this.#random.float() * 10 - 3;
      case 4:
        return this.int(-30, 30) / 10;
      default:
        return this.int(-3, 9);
    }
  }

  value(): JsonObject {
    const value: JsonObject = { user: this.of<JsonValue>(['u1', 'u1', 'u1', 'u2', 3]), page: this.of(['a', 'b', 'c', 'd']) };
    if (this.chance(0.9)) value.amount = this.#amount();
    if (this.chance(0.8)) value.mixed = this.of<JsonValue>([1, '1', true, 'x', 2, null, [1], { a: 1 }]);
    if (this.chance(0.7)) value.vector = this.of<JsonValue>([[this.int(-3, 3), 0.1], [0.2, this.#random.float()], [1], 'none']);
    if (this.chance(0.02)) delete value.user;
    return value;
  }

  /** The next record of a log: mostly a little late, sometimes much, sometimes at the same time as others, sometimes ahead. */
  event(seq: number, nowMs: number): OracleEvent {
    const lateMs = this.of([0, 0, 0, this.int(0, 300), this.int(0, 5000), this.int(0, 60_000), -this.int(0, 2000)]);
    return {
      seq,
      key: `k${this.int(0, 14)}`,
      timeMs: Math.floor((nowMs - lateMs) / 100) * 100 + this.of([0, 0, this.int(0, 99)]),
      ingestedAtMs: nowMs,
      value: this.chance(0.1) ? null : this.value(),
    };
  }
}
