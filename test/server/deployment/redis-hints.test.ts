import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Hint } from '../../../src/server/deployment/hints.ts';
import { parseHint } from '../../../src/server/deployment/redis/redis-hints.ts';

const hint: fc.Arbitrary<Hint> = fc.oneof(
  fc.record({ kind: fc.constant('segment' as const), shard: fc.nat(), seq: fc.nat() }),
  fc.record({ kind: fc.constant('table' as const), incarnation: fc.string() }),
  fc.record({ kind: fc.constant('catalog' as const) }),
);

test('a hint that is sent is the hint that is heard', () => {
  fc.assert(
    fc.property(fc.string(), hint, (node, sent) => {
      expect(parseHint(JSON.stringify({ node, ...sent }))).toEqual({ node, hint: sent });
    }),
  );
});

test('what anyone else says on the channel is no hint, and no error', () => {
  const wrong = fc.record({
    node: fc.anything(),
    kind: fc.constantFrom('segment', 'table', 'other'),
    seq: fc.double(),
    shard: fc.string(),
  });
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    wrong.map(value => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(text, message => {
      expect(parseHint(message)).toBeNull();
    }),
  );
});
