import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom, TailwaterError, utf8 } from '../../src/base/index.ts';
import { type Journal, ObjectJournal } from '../../src/journal/index.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import { catalogMachine, encodeCatalogEntry } from '../../src/streams/catalog/catalog-machine.ts';
import { Catalog, type LogShard, type StreamChange, type StreamSettings } from '../../src/streams/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import { appendOf, openShard, withFaults } from './log-support.ts';

const APPEND: StreamSettings = { kind: 'append' };

/** A deployment of some shards over one store, of which any number of nodes can be opened. */
class Deployment {
  readonly #store = new MemoryObjectStore();
  readonly #shards: number;
  #seed = 0;

  constructor(shards = 1) {
    this.#shards = shards;
  }

  journal(name: string): Journal {
    return new ObjectJournal(this.#store, name);
  }

  async open(
    change: (name: string, journal: Journal) => Journal | Promise<Journal> = (_, journal) => journal,
  ): Promise<{ catalog: Catalog; shards: LogShard[] }> {
    const shards: LogShard[] = [];
    for (let shard = 0; shard < this.#shards; shard++) {
      const journal = await change(`log${shard}`, this.journal(`log${shard}`));
      shards.push(await openShard(journal, { shard, random: seededRandom(++this.#seed) }));
    }
    const journal = await change('catalog', this.journal('catalog'));
    return {
      catalog: await Catalog.open({ journal, shards, clock: new VirtualClock(), random: seededRandom(++this.#seed) }),
      shards,
    };
  }
}

async function opened(shards = 1) {
  return new Deployment(shards).open();
}

describe('creating a stream', () => {
  test('makes it appendable at once, on this node and on others', async () => {
    const deployment = new Deployment();
    const one = await deployment.open();
    const two = await deployment.open();
    const { definition, created } = await one.catalog.create('orders', { kind: 'upsert', key: 'id', partitions: 3 });
    expect([created, definition.key, definition.partitions]).toEqual([true, ['id'], 3]);
    expect(one.shards[0].nextOffsets(definition.incarnation)).toEqual([0, 0, 0]);
    await two.catalog.refresh();
    expect(two.catalog.require('orders')).toEqual(definition);
    expect(two.catalog.byIncarnation(definition.incarnation)).toEqual(definition);
    const receipt = await two.catalog.shardOf(definition).append(appendOf(definition.incarnation, 2, 'x'));
    expect(receipt.parts[0].first).toBe(0);
  });

  test('from when there was one table format keeps it, also for who asks for it again without naming one', async () => {
    const deployment = new Deployment();
    const { catalog } = await deployment.open();
    const { definition } = await catalog.create('old', { kind: 'append', table: { format: 'lance' } });
    const again = await catalog.create('old', APPEND);
    expect([again.created, again.definition.table]).toEqual([false, { format: 'lance' }]);
    await expect(catalog.create('old', { ...APPEND, table: { format: 'iceberg' } })).rejects.toMatchObject({
      code: 'TW_STREAM_EXISTS',
      data: { differing: ['table'] },
    });
    const { table: _table, ...without } = definition;
    const change = { kind: 'created', stream: { definition: without as typeof definition, shard: 0 } } as const;
    const entry = encodeCatalogEntry({ writerId: 'w', writerSequence: 1, nonce: 'n', change });
    const state = catalogMachine.apply(catalogMachine.initial(), 1, entry);
    expect(state.byName.get('old')!.definition).toEqual(definition);
    expect(catalogMachine.decodeCheckpoint(catalogMachine.encodeCheckpoint(state)).byName.get('old')!.definition).toEqual(
      definition,
    );
  });

  test('again with the same settings finds it, however they are written', async () => {
    const { catalog } = await opened();
    const first = await catalog.create('s', {
      kind: 'append',
      key: 'id',
      time: 'ts',
      schema: { type: 'object', required: ['id'] },
    });
    const again = await catalog.create('s', {
      ...{ kind: 'append', key: ['id'], time: { field: 'ts', unit: 'ms' }, partitions: 1, history: 'P1W', retention: 'forever' },
      schema: { required: ['id'], type: 'object' },
    });
    expect(again).toEqual({ definition: first.definition, created: false });
  });

  test('with other settings is TW_STREAM_EXISTS and names what differs', async () => {
    const { catalog } = await opened();
    await catalog.create('s', APPEND);
    const other = catalog.create('s', { kind: 'upsert', partitions: 2 });
    await expect(other).rejects.toMatchObject({ code: 'TW_STREAM_EXISTS', data: { differing: ['kind', 'partitions'] } });
  });

  test('by two nodes at once makes one stream', async () => {
    const deployment = new Deployment();
    const nodes = [await deployment.open(), await deployment.open()];
    const results = await Promise.all(nodes.map(node => node.catalog.create('s', APPEND)));
    expect(results.map(result => result.created).sort()).toEqual([false, true]);
    expect(results[0].definition).toEqual(results[1].definition);
    await nodes[0].shards[0].refresh();
    expect(nodes[0].shards[0].incarnations()).toHaveLength(1);
  });

  test('needs a name that users may give; internal streams have names of their own', async () => {
    const { catalog } = await opened();
    for (const name of ['', '.', '..', '-a', '_a', 'a b', 'a/b', 'é', 'a.dlq', 'x'.repeat(201)]) {
      await expect(catalog.create(name, APPEND), name).rejects.toMatchObject({ code: 'TW_STREAM_NAME' });
    }
    for (const name of ['a', '0', 'a.b-c_d', 'x'.repeat(200)]) expect((await catalog.create(name, APPEND)).created).toBe(true);
    for (const name of ['_progress', 'a.dlq', `${'x'.repeat(200)}.dlq`]) {
      expect((await catalog.create(name, APPEND, { internal: true })).created).toBe(true);
    }
    await expect(catalog.create('__a', APPEND, { internal: true })).rejects.toMatchObject({ code: 'TW_STREAM_NAME' });
  });
});

describe('deleting a stream', () => {
  test('ends its appends everywhere; the name begins a new life', async () => {
    const deployment = new Deployment();
    const one = await deployment.open();
    const two = await deployment.open();
    const { definition } = await one.catalog.create('s', APPEND);
    await two.catalog.refresh();
    expect(await two.catalog.delete('s')).toEqual(definition);
    await expect(one.shards[0].append(appendOf(definition.incarnation, 0, 'x'))).rejects.toMatchObject({
      code: 'TW_STREAM_NOT_FOUND',
    });
    await one.catalog.refresh();
    expect(one.catalog.get('s')).toBeUndefined();
    expect(() => one.catalog.require('s')).toThrow(expect.objectContaining({ code: 'TW_STREAM_NOT_FOUND' }));
    expect(() => one.catalog.shardOf(definition)).toThrow(expect.objectContaining({ code: 'TW_STREAM_NOT_FOUND' }));
    await expect(one.catalog.delete('s')).rejects.toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
    const next = await one.catalog.create('s', { kind: 'upsert' });
    expect(next.created).toBe(true);
    expect(next.definition.incarnation).not.toBe(definition.incarnation);
  });

  test.each([
    ['whoever deletes it', async () => {}],
    ['another node', (catalog: Catalog) => catalog.create('s', APPEND)],
  ])(
    'is for ever, also for a node that slept before it wrote the creation into the log, where %s has written it since',
    async (_, meanwhile) => {
      const deployment = new Deployment();
      const asleep = Promise.withResolvers<void>();
      const awake = Promise.withResolvers<void>();
      const sleeper = await deployment.open((name, journal) => {
        if (name === 'catalog') return journal;
        const create = async (seq: number, bytes: Uint8Array) => {
          asleep.resolve();
          await awake.promise;
          return journal.create(seq, bytes);
        };
        return { ...withFaults(journal, () => null, Error), create };
      });
      const other = await deployment.open();
      const controls: string[] = [];
      other.shards[0].onSegment(segment => controls.push(...segment.controls.map(control => control.kind)));
      const creation = sleeper.catalog.create('s', APPEND);
      await asleep.promise;
      await meanwhile(other.catalog);
      await other.catalog.delete('s');
      expect(controls).toEqual(['create', 'delete']);
      const late = expect(creation).rejects.toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
      awake.resolve();
      await late;
      await other.shards[0].refresh();
      expect(controls).toEqual(['create', 'delete']);
      expect(other.shards[0].incarnations()).toEqual([]);
    },
  );
});

describe('an interruption between the catalog and the log', () => {
  async function interrupted(deployment: Deployment, act: (catalog: Catalog) => Promise<unknown>): Promise<void> {
    let cut = false;
    const node = await deployment.open((name, journal) =>
      name === 'catalog'
        ? journal
        : withFaults(
            journal,
            () => (cut ? 'fails' : null),
            () => new TailwaterError('TW_STORAGE_UNAVAILABLE'),
          ),
    );
    cut = true;
    await expect(act(node.catalog)).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
  }

  test('of a creation is completed by the next node, or by asking again', async () => {
    const deployment = new Deployment();
    await interrupted(deployment, catalog => catalog.create('s', APPEND));
    const node = await deployment.open();
    const { incarnation } = node.catalog.require('s');
    expect(node.shards[0].nextOffsets(incarnation)).toEqual([0]);
    expect((await node.catalog.create('s', APPEND)).created).toBe(false);
  });

  test('of a deletion is completed by the next node', async () => {
    const deployment = new Deployment();
    await (await deployment.open()).catalog.create('s', APPEND);
    await interrupted(deployment, catalog => catalog.delete('s'));
    const node = await deployment.open();
    expect([node.catalog.list(), node.shards[0].incarnations()]).toEqual([[], []]);
  });

  test('is completed by a running node that learns of it', async () => {
    const deployment = new Deployment();
    const node = await deployment.open();
    await interrupted(deployment, catalog => catalog.create('s', APPEND));
    await node.catalog.refresh();
    expect(node.shards[0].nextOffsets(node.catalog.require('s').incarnation)).toEqual([0]);
    await interrupted(deployment, catalog => catalog.delete('s'));
    await node.catalog.refresh();
    expect(node.shards[0].incarnations()).toEqual([]);
  });

  test('of a deletion is completed by a node that opened after its log, but before its catalog, had the stream', async () => {
    const deployment = new Deployment();
    const node = await deployment.open(async (name, journal) => {
      if (name === 'catalog') {
        await (await deployment.open()).catalog.create('s', APPEND);
        await interrupted(deployment, catalog => catalog.delete('s'));
      }
      return journal;
    });
    await node.shards[0].refresh();
    expect([node.catalog.list(), node.shards[0].incarnations().length]).toEqual([[], 1]);
    await node.catalog.refresh();
    expect(node.shards[0].incarnations()).toEqual([]);
  });
});

describe('shards', () => {
  test('of a group, and of a stream and its dead letters, are the same; others spread', async () => {
    const deployment = new Deployment(4);
    const { catalog } = await deployment.open();
    const shardNumber = (name: string): number => catalog.shardOf(catalog.require(name)).shard;
    for (let index = 0; index < 20; index++) {
      await catalog.create(`grouped-${index}`, { kind: 'append', colocate: 'g' });
      await catalog.create(`single-${index}`, APPEND);
      await catalog.create(`single-${index}.dlq`, APPEND, { internal: true });
    }
    const numbers = Array.from({ length: 20 }, (_, index) => index);
    expect(new Set(numbers.map(index => shardNumber(`grouped-${index}`))).size).toBe(1);
    expect(new Set(numbers.map(index => shardNumber(`single-${index}`))).size).toBe(4);
    for (const index of numbers) expect(shardNumber(`single-${index}.dlq`)).toBe(shardNumber(`single-${index}`));
    const again = await deployment.open();
    for (const { name } of catalog.list())
      expect(again.catalog.shardOf(again.catalog.require(name)).shard).toBe(shardNumber(name));
  });
});

describe('listeners', () => {
  test('hear every change once and in order, their own and others’, also over a jump to a checkpoint', async () => {
    const deployment = new Deployment();
    const [one, two, late] = [await deployment.open(), await deployment.open(), await deployment.open()];
    const heard = (catalog: Catalog): string[] => {
      const changes: string[] = [];
      catalog.onChange((change: StreamChange) => changes.push(`${change.kind} ${change.definition.name}`));
      return changes;
    };
    const [first, second, jumped] = [heard(one.catalog), heard(two.catalog), heard(late.catalog)];
    await one.catalog.create('a', APPEND);
    await one.catalog.create('b', APPEND);
    await one.catalog.delete('a');
    await two.catalog.refresh();
    const expected = ['created a', 'created b', 'deleted a'];
    expect([first, second]).toEqual([expected, expected]);
    await one.catalog.checkpoint();
    const journal = deployment.journal('catalog');
    await journal.raiseFloor(4);
    await journal.collect();
    await late.catalog.refresh();
    expect(jumped).toEqual(['created b']);
    expect(late.catalog.list().map(definition => definition.name)).toEqual(['b']);
  });
});

describe('the catalog’s formats', () => {
  test('of a newer version are refused as such; damage is damage', async () => {
    for (const [text, code] of [
      ['{"formatVersion":2}', 'TW_FORMAT_TOO_NEW'],
      ['{"formatVersion":0}', 'TW_DATA_DAMAGED'],
      ['null', 'TW_DATA_DAMAGED'],
      ['nonsense', 'TW_DATA_DAMAGED'],
    ]) {
      const deployment = new Deployment();
      await deployment.journal('catalog').create(1, utf8(text));
      await expect(deployment.open(), text).rejects.toMatchObject({ code });
    }
  });
});

test('whatever nodes do and whenever they restart, catalog and log agree with a plain model in the end', async () => {
  const names = ['a', 'b', 'c'];
  const kinds = ['append', 'upsert'] as const;
  const step = fc.record({
    node: fc.nat(1),
    act: fc.constantFrom('create' as const, 'delete' as const, 'restart' as const, 'refresh' as const),
    name: fc.constantFrom(...names),
    kind: fc.constantFrom(...kinds),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
      const deployment = new Deployment(2);
      const nodes = [await deployment.open(), await deployment.open()];
      const model = new Map<string, string>();
      for (const { node, act, name, kind } of steps) {
        const { catalog } = nodes[node];
        if (act === 'restart') nodes[node] = await deployment.open();
        else if (act === 'refresh') await catalog.refresh();
        else if (act === 'delete') {
          const deleting = catalog.delete(name).then(
            () => 'deleted',
            error => error.code,
          );
          expect(await deleting).toBe(model.has(name) ? 'deleted' : 'TW_STREAM_NOT_FOUND');
          model.delete(name);
        } else {
          const creating = catalog.create(name, { kind }).then(
            result => result.created,
            error => error.code,
          );
          const expected = model.has(name) ? (model.get(name) === kind ? false : 'TW_STREAM_EXISTS') : true;
          expect(await creating).toBe(expected);
          if (!model.has(name)) model.set(name, kind);
        }
      }
      for (const { catalog, shards } of nodes) {
        await catalog.refresh();
        for (const shard of shards) await shard.refresh();
        expect(catalog.list().map(definition => [definition.name, definition.kind])).toEqual([...model].sort());
        const live = shards.flatMap(shard => shard.incarnations());
        expect(live.sort()).toEqual(
          catalog
            .list()
            .map(definition => definition.incarnation)
            .sort(),
        );
      }
    }),
    { numRuns: 60 },
  );
});
