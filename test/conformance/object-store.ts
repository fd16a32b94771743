import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom, utf8 } from '../../src/base/index.ts';
import { type ObjectStore, probeConditionalPuts, VersionedDocument } from '../../src/storage/index.ts';
import { byBytes, checkHistories, textOf } from './object-store-histories.ts';

/** One empty store and the ways to do it harm. */
export interface ObjectStoreFixture {
  store: ObjectStore;
  /** Another handle on the same objects, as another process has. */
  other: ObjectStore;
  /** Damages the stored content of an object, not its checksum. */
  damage?(key: string): void | Promise<void>;
  /** Puts an object as other tools do: without a crc32c. Absent where every object has one. */
  putForeign?(key: string, bytes: Uint8Array): void | Promise<void>;
  /** The outcome of the next put is not learned, though it was applied or though it was not. */
  loseNextReply?(applied: boolean): void;
  close?(): Promise<void>;
}

export interface ConformanceOptions {
  /** `a` and `a/b` can both be keys. The port promises no such thing. */
  keysMayNest: boolean;
  /** How many random histories are compared with the model. */
  histories: number;
}

const RACERS = 50;
const HOSTILE_KEYS = [
  'A/readme',
  'a/README',
  'a/readme',
  'a b+c%2Fd',
  '..hidden/...',
  '.tmp/x',
  '.lock.db',
  'x.obj/y.obj',
  'x.obj/y',
  'x%2eobj/z',
  'CON/aux.',
  '-rf *',
  '~',
  'q?a=1&b=<"\'>#;:@|\\`$()[]{}',
  'ümlaut/日本語',
  'u\u0308mlaut/e\u0301',
  '😀/high',
  '\uff5e/below high in UTF-16',
  'z'.repeat(240),
];
const REFUSED_KEYS = [
  '',
  '/',
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  'a/../b',
  'a/./b',
  'a\0b',
  'a\nb',
  '\ud800',
  'k/'.repeat(600),
  'é'.repeat(81),
];

/** What every ObjectStore promises (S1, S2, S5 and the port's comments). */
export function objectStoreConformance(
  name: string,
  create: () => Promise<ObjectStoreFixture>,
  options: ConformanceOptions,
): void {
  describe(`${name} as an object store`, () => {
    let fixture: ObjectStoreFixture;
    let store: ObjectStore;
    beforeEach(async () => {
      fixture = await create();
      store = fixture.store;
    });
    afterEach(async () => fixture.close?.());
    const current = (): ObjectStoreFixture => fixture;

    describeObjects(current);
    describeRaces(current);
    describeListing(current);
    describeForeign(current);
    describeHarm(current);

    test('behaves as a map with versions does, in any history of calls', () => checkHistories(create, options.histories));

    test('keys of every kind are kept apart, and found by listing and reading', async () => {
      const keys = [...HOSTILE_KEYS, ...(options.keysMayNest ? ['x', 'x.obj', '😀'] : [])];
      for (const key of keys) expect(await store.put(key, utf8(key), { ifAbsent: true })).toMatchObject({ kind: 'ok' });
      for (const key of keys) expect(textOf(await store.get(key))).toBe(key);
      const listed = await store.list('');
      expect(listed).toEqual(byBytes(keys).map(key => ({ key, size: Buffer.byteLength(key) })));
      await store.delete(keys);
      expect(await store.list('')).toEqual([]);
    });

    test('keys that some store could not keep are refused before anything is done', async () => {
      for (const key of REFUSED_KEYS) {
        await expect(store.put(key, utf8('x'))).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
        await expect(store.get(key)).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
        await expect(store.head(key)).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
        await expect(store.delete(['fine', key])).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
      }
      for (const prefix of ['/', 'a//', '../x', 'a/../', 'a\0']) {
        await expect(store.list(prefix)).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
      }
    });

    test('it passes the probe for conditional puts, which leaves nothing behind', async () => {
      await probeConditionalPuts(store, seededRandom(7));
      expect(await store.list('')).toEqual([]);
    });
  });
}

function describeObjects(fixture: () => ObjectStoreFixture): void {
  test('what was put is read back, by any handle, with the etag that put returned', async () => {
    const { store, other } = fixture();
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 31) & 0xff);
    const outcome = await store.put('folder/object', bytes);
    const etag = outcome.kind === 'ok' ? outcome.etag : null;
    const { modifiedAtMs = Date.now(), ...facts } = (await other.head('folder/object'))!;
    expect(facts).toEqual({ size: bytes.length, etag });
    // By the store's own clock.
    expect(Math.abs(Date.now() - modifiedAtMs)).toBeLessThan(3_600_000);
    const found = await other.get('folder/object');
    expect(found?.etag).toBe(etag);
    expect(Buffer.compare(found!.bytes, bytes)).toBe(0);
  });

  test('an empty object is an object', async () => {
    const { store } = fixture();
    expect(await store.put('empty', new Uint8Array(0), { ifAbsent: true })).toMatchObject({ kind: 'ok' });
    expect((await store.get('empty'))?.bytes.length).toBe(0);
    expect((await store.get('empty', { range: { start: 0, end: 9 } }))?.bytes.length).toBe(0);
    expect(await store.list('')).toEqual([{ key: 'empty', size: 0 }]);
  });

  test('the caller’s bytes stay the caller’s: changing them later changes nothing stored', async () => {
    const { store } = fixture();
    const sent = Buffer.from('original');
    await store.put('copied', sent);
    sent.fill(0);
    (await store.get('copied'))!.bytes.fill(0);
    expect(textOf(await store.get('copied'))).toBe('original');
  });

  test('an absent object is null, and deleting it is no error', async () => {
    const { store } = fixture();
    await store.delete(['none', 'deeper/none']);
    expect(await store.get('deeper/none')).toBeNull();
    expect(await store.get('none', { range: { start: 0, end: 1 } })).toBeNull();
    expect(await store.get('none', { range: { start: 0, end: 0 } })).toBeNull();
    expect(await store.head('none')).toBeNull();
    expect(await store.put('none', utf8('x'), { ifMatch: (await etagOf(store, 'some'))! })).toEqual({ kind: 'mismatch' });
    await store.delete([]);
  });

  test('a range is clipped to the object', async () => {
    const { store } = fixture();
    await store.put('digits', utf8('0123456789'));
    const read = async (start: number, end: number): Promise<string | null> =>
      textOf(await store.get('digits', { range: { start, end } }));
    expect(await read(0, 10)).toBe('0123456789');
    expect(await read(3, 5)).toBe('34');
    expect(await read(8, 100)).toBe('89');
    expect(await read(4, 4)).toBe('');
    expect(await read(10, 12)).toBe('');
    expect(await read(50, 60)).toBe('');
    for (const [start, end] of [
      [-1, 2],
      [3, 2],
      [0.5, 2],
      [0, Number.NaN],
    ]) {
      await expect(store.get('digits', { range: { start, end } })).rejects.toMatchObject({ code: 'TW_BAD_REQUEST' });
    }
  });

  test('a deleted object can be created again, and its old etag replaces nothing', async () => {
    const { store, other } = fixture();
    const first = await etagOf(store, 'again');
    await other.delete(['again']);
    expect(await store.get('again')).toBeNull();
    expect(await store.put('again', utf8('late'), { ifMatch: first! })).toEqual({ kind: 'mismatch' });
    expect(await store.put('again', utf8('second'), { ifAbsent: true })).toMatchObject({ kind: 'ok' });
    expect(await store.put('again', utf8('late'), { ifMatch: first! })).toEqual({ kind: 'mismatch' });
    expect(textOf(await other.get('again'))).toBe('second');
  });
}

function describeRaces(fixture: () => ObjectStoreFixture): void {
  test(`of ${RACERS} writers that race to create an object exactly one wins, and its bytes are the object (S1)`, async () => {
    const { store, other } = fixture();
    for (let round = 0; round < 3; round++) {
      const winners = await race(RACERS, racer =>
        (racer % 2 === 0 ? store : other).put(`races/${round}`, utf8(`racer ${racer}`), { ifAbsent: true }),
      );
      expect(winners).toEqual({ ok: [expect.any(Number)], refused: 'exists' });
      expect(textOf(await other.get(`races/${round}`))).toBe(`racer ${winners.ok[0]}`);
    }
  });

  test(`of ${RACERS} writers that race to replace the same version exactly one wins`, async () => {
    const { store, other } = fixture();
    let etag = (await etagOf(store, 'swapped'))!;
    for (let round = 0; round < 3; round++) {
      const winners = await race(RACERS, racer =>
        (racer % 2 === 0 ? store : other).put('swapped', utf8(`round ${round} racer ${racer}`), { ifMatch: etag }),
      );
      expect(winners).toEqual({ ok: [expect.any(Number)], refused: 'mismatch' });
      const found = await other.get('swapped');
      expect(textOf(found)).toBe(`round ${round} racer ${winners.ok[0]}`);
      etag = found!.etag;
    }
  });

  test('no increment of a shared counter is lost or counted twice', async () => {
    const { store, other } = fixture();
    const counters = [store, other].map(
      (handle, index) => new VersionedDocument<number>(handle, 'counter', undefined, seededRandom(index)),
    );
    await Promise.all(Array.from({ length: 24 }, (_, writer) => counters[writer % 2].update(count => (count ?? 0) + 1)));
    expect((await counters[1].read())?.value).toBe(24);
  });

  test('a reader of an object that is being replaced sees whole versions only', async () => {
    const { store, other } = fixture();
    const version = (fill: number): Uint8Array => new Uint8Array(30_000).fill(fill);
    await store.put('replaced', version(0));
    let writing = true;
    const writer = (async () => {
      for (let fill = 1; fill <= 12; fill++) await store.put('replaced', version(fill));
      writing = false;
    })();
    while (writing) {
      const { bytes } = (await other.get('replaced'))!;
      expect(bytes.length).toBe(30_000);
      expect(bytes.every(byte => byte === bytes[0])).toBe(true);
    }
    await writer;
  });
}

function describeListing(fixture: () => ObjectStoreFixture): void {
  test('pages follow one another in the order of UTF-8 bytes, whole and without repeats', async () => {
    const { store } = fixture();
    const keys = ['a/1', 'a/10', 'a/2', 'a-x/1', 'a.y/1', 'a0', 'b/c/d', 'b/c/e', 'b/c0', 'b/cc/a', '\uff5e/x', '😀/x'];
    for (const key of keys) await store.put(key, utf8('x'));
    for (const limit of [1, 2, 5, 100]) {
      const seen: string[] = [];
      for (
        let page = await store.list('', { limit });
        page.length > 0;
        page = await store.list('', { limit, startAfter: seen.at(-1)! })
      ) {
        expect(page.length).toBe(Math.min(limit, keys.length - seen.length));
        seen.push(...page.map(object => object.key));
      }
      expect(seen).toEqual(byBytes(keys));
    }
  });

  test('a prefix selects by characters, not by folders, and startAfter need not be a key', async () => {
    const { store } = fixture();
    for (const key of ['p/1', 'p/12', 'p/2', 'p1/1', 'p/1x/deep']) await store.put(key, utf8('x'));
    const list = async (prefix: string, startAfter?: string): Promise<string[]> =>
      (await store.list(prefix, startAfter === undefined ? {} : { startAfter })).map(object => object.key);
    expect(await list('p/1')).toEqual(['p/1', 'p/12', 'p/1x/deep']);
    expect(await list('p/1/')).toEqual([]);
    expect(await list('p')).toEqual(['p/1', 'p/12', 'p/1x/deep', 'p/2', 'p1/1']);
    expect(await list('p/', 'p/1')).toEqual(['p/12', 'p/1x/deep', 'p/2']);
    expect(await list('p/', 'p/1x')).toEqual(['p/1x/deep', 'p/2']);
    expect(await list('p/', 'p/1x/e')).toEqual(['p/2']);
    expect(await list('p/', 'a')).toEqual(['p/1', 'p/12', 'p/1x/deep', 'p/2']);
    expect(await list('p/', 'q')).toEqual([]);
    expect(await list('none/at/all/')).toEqual([]);
  });
}

function describeForeign(fixture: () => ObjectStoreFixture): void {
  test('read as a foreign one, an object is the version that is named, or nothing', async () => {
    const { store, other } = fixture();
    const first = (await etagOf(store, 'versions'))!;
    const of = (etag: string): Promise<string | null> => other.get('versions', { foreign: { etag } }).then(textOf);
    expect(await of(first)).toBe('the first content of versions');
    await store.put('versions', utf8('second'));
    expect(await of(first)).toBeNull();
    const { etag, size } = (await other.head('versions'))!;
    expect([await of(etag), size]).toEqual(['second', 6]);
    await store.delete(['versions']);
    expect(await of(etag)).toBeNull();
  });

  test('an object without a crc32c is read as a foreign one alone; a crc32c that is there is verified (S5)', async () => {
    const { store, other, putForeign, damage } = fixture();
    const foreign = async (key: string): Promise<Uint8Array> => {
      const { etag } = (await other.head(key))!;
      return (await other.get(key, { foreign: { etag } }))!.bytes;
    };
    if (putForeign !== undefined) {
      for (const bytes of [new Uint8Array(0), utf8('theirs')]) {
        await putForeign('theirs', bytes);
        await expect(store.get('theirs')).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
        expect(Buffer.compare(await foreign('theirs'), bytes)).toBe(0);
      }
    }
    await store.put('ours', utf8('precious'));
    if (damage === undefined) return;
    await damage('ours');
    await expect(foreign('ours')).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
  });
}

function describeHarm(fixture: () => ObjectStoreFixture): void {
  test('damaged content is never returned as the object (S5)', async () => {
    const { store, damage } = fixture();
    if (damage === undefined) return;
    await store.put('damaged', utf8('precious'));
    await damage('damaged');
    await expect(store.get('damaged')).rejects.toMatchObject({
      code: 'TW_DATA_DAMAGED',
      data: { key: expect.stringMatching(/damaged$/) },
    });
    expect(await store.put('damaged', utf8('restored'))).toMatchObject({ kind: 'ok' });
    expect(textOf(await store.get('damaged'))).toBe('restored');
  });

  test('a put whose reply is lost is unknown, whether it was applied or not (S2)', async () => {
    const { store, loseNextReply } = fixture();
    if (loseNextReply === undefined) return;
    for (const applied of [true, false]) {
      const key = `lost/${applied}`;
      loseNextReply(applied);
      expect(await store.put(key, utf8('mine'), { ifAbsent: true })).toMatchObject({ kind: 'unknown' });
      expect(textOf(await store.get(key))).toBe(applied ? 'mine' : null);
      expect(await store.put(key, utf8('mine'), { ifAbsent: true })).toMatchObject({ kind: applied ? 'exists' : 'ok' });
      loseNextReply(applied);
      const { etag } = (await store.get(key))!;
      expect(await store.put(key, utf8('next'), { ifMatch: etag })).toMatchObject({ kind: 'unknown' });
      expect(textOf(await store.get(key))).toBe(applied ? 'next' : 'mine');
    }
  });

  test('a document applies its change once though replies are lost', async () => {
    const { store, loseNextReply } = fixture();
    if (loseNextReply === undefined) return;
    const document = new VersionedDocument<number>(store, 'document', undefined, seededRandom(3));
    for (const [index, applied] of [true, false, false, true].entries()) {
      loseNextReply(applied);
      expect(await document.update(count => (count ?? 0) + 1)).toBe(index + 1);
      expect((await document.read())?.value).toBe(index + 1);
    }
  });
}

async function race(
  racers: number,
  run: (racer: number) => ReturnType<ObjectStore['put']>,
): Promise<{ ok: number[]; refused: string }> {
  const outcomes = await Promise.all(Array.from({ length: racers }, (_, racer) => run(racer)));
  const ok = outcomes.flatMap((outcome, racer) => (outcome.kind === 'ok' ? [racer] : []));
  const others = new Set(outcomes.filter(outcome => outcome.kind !== 'ok').map(outcome => outcome.kind));
  return { ok, refused: [...others].join() };
}

async function etagOf(store: ObjectStore, key: string): Promise<string | null> {
  const outcome = await store.put(key, utf8(`the first content of ${key}`));
  return outcome.kind === 'ok' ? outcome.etag : null;
}
