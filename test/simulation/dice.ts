import type { Random } from '../../src/base/index.ts';

/** Draws of one seeded source. */
export class Dice {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  float(): number {
    return this.#random.float();
  }

  happens(probability: number): boolean {
    return this.#random.float() < probability;
  }

  /** An integer of [0, count). */
  below(count: number): number {
    return Math.floor(this.#random.float() * count);
  }

  /** An integer of [lowest, highest]. */
  between(lowest: number, highest: number): number {
    return lowest + this.below(highest - lowest + 1);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** `count` of the items, in their order. */
  subset<T>(items: readonly T[], count: number): T[] {
    const left = [...items.keys()];
    while (left.length > count) left.splice(this.below(left.length), 1);
    return left.map(index => items[index]);
  }

  weighted<T>(choices: readonly (readonly [T, number])[]): T {
    const total = choices.reduce((sum, [, weight]) => sum + weight, 0);
    let at = this.#random.float() * total;
    for (const [choice, weight] of choices) {
      at -= weight;
      if (at < 0) return choice;
    }
    return choices[0][0];
  }
}
