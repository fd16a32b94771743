import { expect, test } from 'vitest';
import { planShard } from '../../src/server/collect/collect-log.ts';
import { COLLECTION_DEFAULTS } from '../../src/server/collect/settings.ts';
import type { LogShard } from '../../src/streams/index.ts';

const HEAD = 9;
const shard = {
  floor: async () => 4,
  firstCommittedAfter: async () => HEAD + 1,
  lastFollowedBy: () => HEAD,
} as unknown as LogShard;

const planFor = (nextOffsets: [string, number[]][]) => {
  const heads = { shard, head: HEAD, nextOffsets: new Map(nextOffsets) };
  const statesOf = () => expect.fail('no table is known');
  return planShard(heads, new Map(), statesOf, { ...COLLECTION_DEFAULTS, logHistoryMs: 0 }, 0, null);
};

test('the floor stays while a stream that the catalog has given up lives on in the log', async () => {
  expect(await planFor([['dying', [3]]])).toMatchObject({ floor: 4, neededBy: 'dying', heldBy: 'stream' });
  expect(await planFor([])).toMatchObject({ floor: HEAD + 1, neededBy: null, heldBy: null });
});
