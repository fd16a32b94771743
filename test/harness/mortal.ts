import { type Random, TailwaterError } from '../../src/base/index.ts';

/** How many more calls someone makes before being killed. The last one may still take effect; all after it fail and do nothing. */
export class Lifetime {
  #left: number;
  readonly #random: Random;

  constructor(calls: number, random: Random) {
    this.#left = calls;
    this.#random = random;
  }

  get ended(): boolean {
    return this.#left <= 0;
  }

  async spend<T>(call: () => Promise<T>): Promise<T> {
    if (this.#left <= 0) throw killed();
    if (--this.#left === 0) {
      if (this.#random.float() < 0.5) await call();
      throw killed();
    }
    const result = await call();
    if (this.ended) throw killed();
    return result;
  }
}

function killed(): TailwaterError {
  return new TailwaterError('TW_CLOSED', { detail: 'Killed by the test.' });
}

/** The same object for someone who may be killed: every method of it that is called spends from the lifetime. */
export function mortal<T extends object>(target: T, lifetime: Lifetime): T {
  return new Proxy(target, {
    get(object, name) {
      const member: unknown = Reflect.get(object, name, object);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => lifetime.spend(async () => Reflect.apply(member, object, args));
    },
  });
}
