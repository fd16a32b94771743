import { describe, expect, test } from 'vitest';
import { seededRandom, TailwaterError } from '../../src/base/index.ts';
import { Embedder, type EmbeddingProvider } from '../../src/embeddings/index.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';

/** Embeds a text as its length; fails while `failures` last. */
class FakeProvider implements EmbeddingProvider {
  readonly name = 'fake';
  readonly model = 'fake';
  readonly dimensions = 2;
  readonly maxBatchTexts = 3;
  readonly pure = false;
  readonly batches: string[][] = [];
  failures: TailwaterError[] = [];
  running = 0;
  mostRunning = 0;
  gate: Promise<void> = Promise.resolve();

  async embed(texts: readonly string[]): Promise<Float32Array> {
    this.batches.push([...texts]);
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    try {
      await this.gate;
      const failure = this.failures.shift();
      if (failure) throw failure;
      return Float32Array.from(texts.flatMap(text => [text.length, 1]));
    } finally {
      this.running--;
    }
  }
}

function setUp(options: Partial<ConstructorParameters<typeof Embedder>[1]> = {}) {
  const clock = new VirtualClock();
  const provider = new FakeProvider();
  const embedder = new Embedder(provider, { clock, random: seededRandom(1), ...options });
  return { clock, provider, embedder };
}

const failed = (facts = {}) => new TailwaterError('TW_EMBEDDING_FAILED', facts);

describe('Embedder', () => {
  test('embeds each content once, in batches of what the provider takes', async () => {
    const { provider, embedder } = setUp();
    const texts = ['a', 'bb', 'a', 'ccc', 'dddd', 'bb'];
    const vectors = await embedder.embed(texts);
    expect([...vectors]).toEqual(texts.flatMap(text => [text.length, 1]));
    expect(provider.batches).toEqual([['a', 'bb', 'ccc'], ['dddd']]);
    await embedder.embed(['ccc', 'dddd']);
    expect(provider.batches).toHaveLength(2);
  });

  test('shares a request in flight between callers', async () => {
    const { provider, embedder } = setUp();
    const [one, two] = await Promise.all([embedder.embed(['same']), embedder.embed(['same'])]);
    expect(one).toEqual(two);
    expect(provider.batches).toEqual([['same']]);
  });

  test('tries again, no sooner than the service asked for', async () => {
    const { clock, provider, embedder } = setUp();
    provider.failures = [failed({ retryAfterMs: 5000, data: { status: 429 } })];
    const answer = embedder.embed(['x']);
    await clock.advance(4999);
    expect(provider.batches).toHaveLength(1);
    await clock.advance(1);
    expect([...(await answer)]).toEqual([1, 1]);
  });

  test('asks again for what a caller wants whose neighbour gave up the request that they shared', async () => {
    const { clock, provider, embedder } = setUp();
    provider.failures = [failed()];
    const impatient = new AbortController();
    const first = embedder.embed(['x'], impatient.signal);
    const second = embedder.embed(['x']);
    await clock.advance(0);
    impatient.abort();
    await expect(first).rejects.toThrow();
    expect([...(await clock.run(second))]).toEqual([1, 1]);
  });

  test('does not repeat a request that can only be refused again', async () => {
    const { provider, embedder } = setUp();
    provider.failures = [failed({ data: { status: 401 } })];
    await expect(embedder.embed(['x'])).rejects.toMatchObject({ code: 'TW_EMBEDDING_FAILED' });
    expect(provider.batches).toHaveLength(1);
  });

  test('leaves a service alone that keeps failing, then lets one request find out', async () => {
    const { clock, provider, embedder } = setUp({ breakerFailures: 2, breakerOpenMs: 1000, maxAttempts: 1 });
    provider.failures = [failed(), failed(), failed()];
    await expect(embedder.embed(['a'])).rejects.toThrow();
    await expect(embedder.embed(['b'])).rejects.toThrow();
    await expect(embedder.embed(['c'])).rejects.toMatchObject({ code: 'TW_EMBEDDING_FAILED', retryAfterMs: 1000 });
    expect(provider.batches).toHaveLength(2);
    await clock.advance(1000);
    await expect(embedder.embed(['d'])).rejects.toThrow();
    expect(provider.batches).toHaveLength(3);
    await clock.advance(1000);
    expect([...(await embedder.embed(['e']))]).toEqual([1, 1]);
    expect(embedder.stats().breakerOpen).toBe(0);
  });

  test('leaves a service alone for no longer when the clock is set back', async () => {
    const clock = new VirtualClock();
    let setBackMs = 0;
    const jumping = {
      nowMs: () => clock.nowMs() - setBackMs,
      monotonicMs: clock.monotonicMs.bind(clock),
      sleep: clock.sleep.bind(clock),
      turn: clock.turn.bind(clock),
      after: clock.after.bind(clock),
    };
    const { provider, embedder } = setUp({ clock: jumping, breakerFailures: 1, breakerOpenMs: 1000, maxAttempts: 1 });
    provider.failures = [failed()];
    await expect(embedder.embed(['a'])).rejects.toThrow();
    setBackMs = 3_600_000;
    await clock.advance(1000);
    expect([...(await embedder.embed(['b']))]).toEqual([1, 1]);
  });

  test('has a bound on requests at once, and on what it remembers', async () => {
    const { provider, embedder } = setUp({ maxConcurrency: 2, maxCacheEntries: 4 });
    let open = () => {};
    provider.gate = new Promise(resolve => {
      open = resolve;
    });
    const texts = Array.from({ length: 15 }, (_, index) => 'x'.repeat(index + 1));
    const answer = embedder.embed(texts);
    open();
    expect([...(await answer)].filter((_, at) => at % 2 === 0)).toEqual(texts.map(text => text.length));
    expect(provider.mostRunning).toBe(2);
    expect(embedder.stats().cached).toBe(4);
  });
});
