import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/index.ts';
import { LeaseClaims } from '../../../src/server/deployment/compaction-claims.ts';
import { checkFormatDocument, FORMAT_KEY } from '../../../src/server/deployment/format-document.ts';
import { componentOf, isImmutable } from '../../../src/server/deployment/keys.ts';
import { MemoryObjectStore } from '../../../src/storage/index.ts';
import { VirtualClock } from '../../harness/virtual-clock.ts';

describe('a claim to compact a stream', () => {
  test('is one node’s at a time, of any number that ask at once, until it is released', async () => {
    const clock = new VirtualClock();
    const store = new MemoryObjectStore();
    const nodes = Array.from({ length: 8 }, (_, index) => new LeaseClaims(store, `node-${index}`, clock));
    const claims = await Promise.all(nodes.map(node => node.claim('life')));
    const won = claims.filter(claim => claim !== null);
    expect(won).toHaveLength(1);
    expect(await nodes[0].claim('other')).not.toBeNull();
    await won[0].release();
    expect(await nodes[3].claim('life')).not.toBeNull();
  });

  test('stays its holder’s for as long as it lives, and is another’s soon after it died', async () => {
    const clock = new VirtualClock();
    const store = new MemoryObjectStore();
    const alive = new LeaseClaims(store, 'alive', clock);
    const claim = await alive.claim('life');
    const other = new LeaseClaims(store, 'other', clock);
    for (let minute = 0; minute < 10; minute++) {
      await clock.advance(60_000);
      expect(await other.claim('life')).toBeNull();
    }
    await claim!.release();
    // A process that dies renews nothing.
    const mortal = new VirtualClock(clock.nowMs());
    expect(await new LeaseClaims(store, 'dead', mortal).claim('life')).not.toBeNull();
    expect(await other.claim('life')).toBeNull();
    await clock.advance(20_000);
    expect(await other.claim('life')).not.toBeNull();
  });

  test('of a store that does not answer is nobody’s error', async () => {
    const store = new MemoryObjectStore();
    await store.put('leases/compaction/life', utf8('not a lease'));
    expect(await new LeaseClaims(store, 'node', new VirtualClock()).claim('life')).not.toBeNull();
  });
});

describe('the format document of a deployment', () => {
  test('is made by the first of racing nodes, and accepted by the others', async () => {
    const store = new MemoryObjectStore();
    await Promise.all(Array.from({ length: 5 }, () => checkFormatDocument(store)));
    expect(JSON.parse(Buffer.from((await store.get(FORMAT_KEY))!.bytes).toString())).toEqual({ formatVersion: 1 });
  });

  test('of a newer version is refused, and what names no version is damage', async () => {
    for (const [content, code] of [
      ['{"formatVersion": 2}', 'TW_FORMAT_TOO_NEW'],
      ['{}', 'TW_DATA_DAMAGED'],
      ['someone else’s file', 'TW_DATA_DAMAGED'],
    ]) {
      const store = new MemoryObjectStore();
      await store.put(FORMAT_KEY, utf8(content));
      await expect(checkFormatDocument(store)).rejects.toMatchObject({ code });
    }
  });
});

test('only objects that are created once are kept in caches, and each has a component', () => {
  const immutable = [
    'log/0/entries/00000000000000000001',
    'tables/x/statistics/1',
    'vectors/x/m/5',
    'data/iceberg/x/rows/data/f.parquet',
  ];
  const mutable = [
    'log/0/floor',
    'catalog/floor',
    'tables/x/state/floor',
    'tables/x/tags/a',
    'pins/n/1',
    'features/views',
    'iceberg/catalog',
    'format.json',
  ];
  expect(immutable.map(isImmutable)).toEqual(immutable.map(() => true));
  expect(mutable.map(isImmutable)).toEqual(mutable.map(() => false));
  const all = [...immutable, ...mutable, 'data/lance/x'];
  expect(all.map(componentOf)).toEqual(
    'log states vectors iceberg log catalog states states pins features iceberg other lance'.split(' '),
  );
});
