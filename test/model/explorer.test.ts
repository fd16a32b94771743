import { describe, expect, test } from 'vitest';
import { runMutant } from '../harness/mutations/mutation.ts';
import { type Exploration, explore } from './explore.ts';
import { MUTATIONS } from './mutations.ts';
import { describeScope, type Scope, SMALLEST } from './scope.ts';

const exploreAll = (scope: Scope): Promise<Exploration> => explore(scope, {}, () => performance.now());

describe('in every interleaving of', () => {
  const scopes: Partial<Scope>[] = [
    {},
    { collections: 0, reads: 2, faults: 2 },
    { prefilled: 1, reads: 0, faults: 1 },
    { writers: 1, prefilled: 1, reads: 0, sharedReads: 1 },
  ];
  for (const sizes of scopes) {
    const scope = { ...SMALLEST, ...sizes };
    test(`${describeScope(scope)}, J1-J6 hold`, async () => {
      const { complete, violation, worlds } = await exploreAll(scope);
      expect(violation).toBeNull();
      expect(complete).toBe(true);
      expect(worlds).toBeGreaterThan(1000);
    });
  }

  test('a scope, as many are found when states are merged as when they are not', async () => {
    const merged = await exploreAll(SMALLEST);
    const exact = await exploreAll({ ...SMALLEST, exact: true });
    expect(exact.interleavings).toBe(merged.interleavings);
    expect(exact.worlds).toBeGreaterThan(merged.worlds);
  });
});

describe('the explorer finds that', () => {
  // Three that need a collection, a fault, and neither; `npm run explore -- --mutations` plants them all.
  const planted = [
    'the floor is not read after a create',
    'a retry of an unknown create sends a new entry',
    'the winner of a conflict is not applied',
  ];
  for (const name of planted) {
    test(name, async () => {
      const mutation = MUTATIONS.find(each => each.name === name)!;
      const { exitCode, stdout } = await runMutant(mutation, 'test/model/main.ts', ['--json']);
      const last = JSON.parse(stdout.trim().split('\n').at(-1)!) as Exploration;
      expect(last.violation?.message).toMatch(/^J\d/);
      expect(exitCode).toBe(1);
    });
  }
});
