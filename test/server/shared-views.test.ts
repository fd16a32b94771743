import { describe, expect, test } from 'vitest';
import { type Clock, isTailwaterError, systemClock, type Timer } from '../../src/base/index.ts';
import { versionOf } from '../../src/features/index.ts';
import type { EngineOptions, FeatureViewDefinition } from '../../src/index.ts';
import { CLUSTER_DEFAULTS } from '../../src/server/deployment/cluster.ts';
import type { Hint, Hints } from '../../src/server/deployment/hints.ts';
import type { Engine } from '../../src/server/engine.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import { temporaryFolder } from './engine-support.ts';
import { openSharedNode } from './shared-node.ts';

/** Hints that reach every other node at once. */
class LocalHints {
  readonly #listeners = new Map<string, (hint: Hint) => void>();

  of(node: string): Hints {
    return {
      publish: hint => {
        for (const [other, listener] of this.#listeners) if (other !== node) listener(hint);
      },
      subscribe: listener => {
        this.#listeners.set(node, listener);
        return () => this.#listeners.delete(node);
      },
    };
  }
}

/** The system's clock, but for looks at the catalog: they are made when the test says so. */
function clockOfPolls(): { clock: Clock; poll(): void } {
  const polls: (() => void)[] = [];
  const after = (ms: number, callback: () => void): Timer => {
    if (ms !== CLUSTER_DEFAULTS.catalogPollMs) return systemClock.after(ms, callback);
    polls.push(callback);
    return { cancel: () => {} } as Timer;
  };
  const clock = Object.assign(Object.create(systemClock) as Clock, { after });
  return {
    clock,
    poll: () => {
      for (const callback of polls.splice(0)) callback();
    },
  };
}

async function withNodes(
  work: (a: Engine, b: Engine) => Promise<void>,
  optionsOf: (node: string) => Partial<EngineOptions> = () => ({}),
): Promise<void> {
  const store = new MemoryObjectStore();
  await using folderA = await temporaryFolder();
  await using folderB = await temporaryFolder();
  const [a, b] = [
    await openSharedNode(store, folderA.path, optionsOf('a')),
    await openSharedNode(store, folderB.path, optionsOf('b')),
  ];
  try {
    await work(a, b);
  } finally {
    await a.close();
    await b.close();
  }
}

const spend: FeatureViewDefinition = {
  source: 'orders',
  entity: 'user',
  features: { spend: { aggregate: 'sum', field: 'amount', window: 'lifetime' } },
};
const halved: FeatureViewDefinition = {
  ...spend,
  features: { spend: { aggregate: 'avg', field: 'amount', window: 'lifetime' } },
};

async function ordersOn(node: Engine, amounts: readonly number[]): Promise<string> {
  await node.createStream('orders', { kind: 'append' });
  const records = amounts.map(amount => ({ value: { user: 'ann', amount } }));
  return (await node.append('orders', { records })).token;
}

async function valueOn(node: Engine, atLeast?: string): Promise<{ version: string; spend: unknown }> {
  const { version, entities } = await node.features.online('spending', {
    entities: ['ann'],
    ...(atLeast !== undefined && { consistency: { atLeast } }),
  });
  return { version, spend: entities[0].values.spend };
}

/** Repeats what it asks until it is answered so: what is waited for comes by itself. */
async function until<T>(ask: () => Promise<T>, isIt: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (isIt(answer)) return answer;
    await systemClock.turn();
  }
}

describe('a feature view of one node', () => {
  test('is served by another at once: as it is named, listed, asked for a past or in a context', () =>
    withNodes(async (a, b) => {
      await expect(valueOn(b)).rejects.toMatchObject({ code: 'TW_VIEW_NOT_FOUND' });
      const token = await ordersOn(a, [5, 7]);
      const { version } = await a.features.apply({ name: 'spending', definition: spend });
      expect(await valueOn(b, token)).toEqual({ version, spend: 12 });
      await a.features.apply({ name: 'same', definition: spend });
      expect((await b.features.list()).map(({ name }) => name)).toEqual(['same', 'spending']);
      await a.features.apply({ name: 'trained', definition: spend });
      const { rows } = await b.features.historical({ views: ['trained'], rows: [{ user: 'ann', time: systemClock.nowMs() }] });
      expect(rows[0].spend).toBe(12);
      await a.features.apply({ name: 'told', definition: spend });
      const answer = await b.context({ include: { features: { view: 'told' } }, subject: 'ann', budget: { tokens: 100 } });
      expect(JSON.stringify(answer)).toContain('12');
      await a.features.apply({ name: 'together', definition: spend });
      const service = await b.features.service({ views: ['together', 'spending'], entities: [{ user: 'ann' }] });
      expect(service.views.map(({ entities }) => entities[0].values.spend)).toEqual([12, 12]);
    }));

  test.each(['hints', 'polls'] as const)(
    'that is changed or removed is by %s on every other, and is served there until its successor is built',
    async kind => {
      const hints = new LocalHints();
      const polls = clockOfPolls();
      const told = kind === 'hints' ? () => {} : polls.poll;
      await withNodes(
        async (a, b) => {
          const token = await ordersOn(a, [5, 7]);
          const first = await a.features.apply({ name: 'spending', definition: spend });
          expect(await valueOn(b, token)).toEqual({ version: first.version, spend: 12 });
          const changed = await a.features.apply({ name: 'spending', definition: halved }, { replaces: first.version });
          const next = changed.building?.version ?? changed.version;
          const seen: unknown[] = [];
          told();
          await until(
            async () => {
              const answer = await valueOn(b);
              seen.push(answer.version === next ? [2, answer.spend] : [1, answer.spend]);
              return answer.version;
            },
            version => version === next,
          );
          expect(new Set(seen.map(each => JSON.stringify(each)))).toEqual(
            new Set(['[1,12]', '[2,6]'].slice(seen.length > 1 ? 0 : 1)),
          );
          await a.features.logAnswers('spending', 1);
          await a.features.remove('spending');
          told();
          const gone = await until(
            () => valueOn(b).catch((error: unknown) => error),
            answer => isTailwaterError(answer),
          );
          expect(gone).toMatchObject({ code: 'TW_VIEW_NOT_FOUND' });
        },
        node => ({ clock: polls.clock, ...(kind === 'hints' && { hints: hints.of(node) }) }),
      );
    },
  );

  test('that was changed is known to a strong request', () =>
    withNodes(async (a, b) => {
      const token = await ordersOn(a, [5, 7]);
      const first = await a.features.apply({ name: 'spending', definition: spend });
      await valueOn(b, token);
      await a.features.apply({ name: 'spending', definition: halved }, { replaces: first.version });
      const strong = () => b.features.online('spending', { entities: ['ann'], consistency: { strong: true } });
      await strong();
      expect(
        await until(
          () => valueOn(b),
          ({ version }) => version !== first.version,
        ),
      ).toMatchObject({ spend: 6 });
      await a.features.remove('spending');
      await expect(strong()).rejects.toMatchObject({ code: 'TW_VIEW_NOT_FOUND' });
    }));

  test('can be changed and removed on another', () =>
    withNodes(async (a, b) => {
      await ordersOn(a, [1]);
      const { version } = await a.features.apply({ name: 'spending', definition: spend });
      await expect(b.features.apply({ name: 'spending', definition: halved })).rejects.toMatchObject({ code: 'TW_VIEW_CHANGED' });
      await b.features.apply({ name: 'spending', definition: halved }, { replaces: version });
      await b.features.remove('spending');
      await expect(b.features.remove('spending')).rejects.toMatchObject({ code: 'TW_VIEW_NOT_FOUND' });
      await expect(a.features.get('spending')).rejects.toMatchObject({ code: 'TW_VIEW_NOT_FOUND' });
    }));

  test('that is changed back while the change is built is what it was', () =>
    withNodes(async a => {
      await ordersOn(a, [5, 7]);
      const { version } = await a.features.apply({ name: 'spending', definition: spend });
      const replaces = versionOf(halved);
      await Promise.all([
        a.features.apply({ name: 'spending', definition: halved }, { replaces: version }),
        a.features.apply({ name: 'spending', definition: spend }, { replaces }),
      ]);
      await until(
        () => a.features.get('spending'),
        ({ building }) => building === null,
      );
      expect(await valueOn(a)).toEqual({ version, spend: 12 });
    }));
});
