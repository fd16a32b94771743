/** Something that must never happen has happened. */
export class Violation extends Error {
  /** Names the broken promise, whatever the numbers: a shrunk plan must break the same one. */
  readonly promise: string;

  constructor(promise: string, facts: unknown = '') {
    super(`${promise}: ${typeof facts === 'string' ? facts : JSON.stringify(facts)}`);
    this.promise = promise;
  }
}

export function must(holds: boolean, promise: string, facts?: () => unknown): asserts holds {
  if (!holds) throw new Violation(promise, facts?.());
}
