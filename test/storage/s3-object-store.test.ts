import { inspect } from 'node:util';
import { S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom, utf8 } from '../../src/base/index.ts';
import { createS3Store, probeConditionalPuts, S3ObjectStore, type S3Settings, withRetries } from '../../src/storage/index.ts';
import { PART_BYTES } from '../../src/storage/s3/parts.ts';
import { objectStoreConformance } from '../conformance/object-store.ts';
import { instantClock } from './instant-clock.ts';
import { DOUBLE_SECRET, S3Double, type S3DoubleOptions } from './s3-double.ts';

objectStoreConformance(
  'S3ObjectStore on a double',
  async () => {
    const double = await S3Double.start({ pageKeys: 3 });
    const settings = { ...double.settings, prefix: 'some/prefix' };
    return {
      store: createS3Store(settings),
      other: createS3Store(settings),
      damage: key => double.damage(`some/prefix/${key}`),
      putForeign: (key, bytes) => double.putForeign(`some/prefix/${key}`, bytes),
      loseNextReply: applied => double.faultNext('PUT', { kind: applied ? 'lose-after' : 'lose-before' }),
      close: () => double.stop(),
    };
  },
  { keysMayNest: true, histories: 15 },
);

describe('S3ObjectStore', () => {
  let double: S3Double;
  let store: S3ObjectStore;
  const restart = async (options: S3DoubleOptions, settings: Partial<S3Settings> = {}): Promise<void> => {
    await double?.stop();
    double = await S3Double.start(options);
    store = createS3Store({ ...double.settings, ...settings });
  };
  beforeEach(() => restart({}));
  afterEach(() => double.stop());
  const putRequests = (): number => double.requests.filter(({ method }) => method === 'PUT').length;

  test('a conflict (409) was not applied and is tried again, and is an error when it goes on (S4)', async () => {
    const conflict = { kind: 'status', status: 409, code: 'ConditionalRequestConflict' } as const;
    double.faultNext('PUT', conflict, conflict);
    expect(await store.put('a', utf8('x'), { ifAbsent: true })).toMatchObject({ kind: 'ok' });
    expect(putRequests()).toBe(3);
    double.faultNext('PUT', conflict, conflict, conflict, conflict);
    await expect(store.put('b', utf8('x'), { ifAbsent: true })).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
    expect(await store.get('b')).toBeNull();
  });

  test('replies that leave the effect open are unknown, and one request is all that was sent (S2)', async () => {
    await restart({}, { timeoutMs: 100 });
    const open = [
      { kind: 'silence' },
      { kind: 'status', status: 500, code: 'InternalError' },
      { kind: 'status', status: 503, code: 'ServiceUnavailable' },
      { kind: 'status', status: 504, code: 'GatewayTimeout' },
    ] as const;
    for (const condition of [{ ifAbsent: true } as const, { ifMatch: '"e"' }, undefined]) {
      for (const fault of open) {
        const before = putRequests();
        double.faultNext('PUT', fault);
        expect(await store.put('a', utf8('x'), condition)).toMatchObject({ kind: 'unknown' });
        expect(putRequests()).toBe(before + 1);
      }
    }
  });

  test('refusals are errors that say the object was not written', async () => {
    const refusals = [
      [403, 'AccessDenied', 'TW_STORAGE_UNAVAILABLE'],
      [404, 'NoSuchBucket', 'TW_STORAGE_UNAVAILABLE'],
      [503, 'SlowDown', 'TW_STORAGE_UNAVAILABLE'],
      [507, 'XMinioStorageFull', 'TW_STORAGE_FULL'],
      [501, 'NotImplemented', 'TW_STORE_UNSAFE'],
    ] as const;
    for (const [status, storageCode, code] of refusals) {
      double.faultNext('PUT', { kind: 'status', status, code: storageCode });
      await expect(store.put('a', utf8('x'), { ifAbsent: true })).rejects.toMatchObject({ code });
    }
    expect(await store.get('a')).toBeNull();
  });

  test('a server that cannot be reached is unavailable, not unknown', async () => {
    const { settings } = double;
    await double.stop();
    store = createS3Store(settings);
    await expect(store.put('a', utf8('x'), { ifAbsent: true })).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
    await expect(store.get('a')).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
  });

  test('a missing bucket is an error, not an empty store', async () => {
    store = createS3Store({ ...double.settings, bucket: 'other' });
    await expect(store.get('a')).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
    await expect(store.list('')).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
    await expect(store.delete(['a'])).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
  });

  test('no error shows the secret, the signature or the session token', async () => {
    await restart({}, { timeoutMs: 100 });
    const sessionToken = 'double-session-token';
    const credentials = { accessKeyId: 'double-key-id', secretAccessKey: DOUBLE_SECRET, sessionToken };
    store = createS3Store({ ...double.settings, timeoutMs: 100, credentials });
    const shown: unknown[] = [];
    for (const method of ['PUT', 'GET', 'HEAD', 'POST']) {
      double.faultNext(
        method,
        { kind: 'status', status: 403, code: 'InvalidAccessKeyId' },
        { kind: 'lose-before' },
        { kind: 'silence' },
      );
    }
    for (let attempt = 0; attempt < 3; attempt++) {
      const calls = [() => store.put('a', utf8('x')), () => store.get('a'), () => store.head('a'), () => store.delete(['a'])];
      for (const call of calls) shown.push(await call().catch(error => error));
    }
    const text = inspect(shown, { depth: 20, showHidden: true });
    expect(shown.filter(error => error instanceof Error).length).toBe(10);
    for (const secret of [DOUBLE_SECRET, sessionToken, 'Signature', 'authorization']) expect(text).not.toContain(secret);
  });

  test('a large object is read by parts side by side, whole and verified, and not a mix of two versions', async () => {
    const large = Buffer.alloc(2.5 * PART_BYTES, 'a long object ');
    await store.put('large', large);
    const before = double.requests.length;
    expect((await store.get('large'))!.bytes.length).toBe(large.length);
    expect(double.requests.slice(before).map(({ method }) => method)).toEqual(['GET', 'GET', 'GET']);
    expect(Buffer.compare((await store.get('large'))!.bytes, large)).toBe(0);
    double.damage('large');
    await expect(store.get('large')).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
  });

  test('a large foreign object that is replaced while it is read is given up, also where conditions of reads are ignored', async () => {
    for (const ignoreConditions of [false, true]) {
      const content = (letter: string): Buffer => Buffer.alloc(40 * 1024 * 1024, letter);
      let reads = 0;
      const onRequest = (method: string): void => {
        if (method === 'GET' && ++reads === 2) double.putForeign('large', content('b'));
      };
      await restart({ ignoreConditions, onRequest });
      double.putForeign('large', content('a'));
      const { etag } = (await store.head('large'))!;
      const read = await store.get('large', { foreign: { etag } }).catch(error => error.code);
      expect(read).toBe(ignoreConditions ? 'TW_STORAGE_UNAVAILABLE' : null);
      const now = (await store.head('large'))!;
      const found = (await store.get('large', { foreign: { etag: now.etag } }))!;
      expect(Buffer.compare(found.bytes, content('b'))).toBe(0);
    }
  });

  test('says how the server is to encrypt what is written', async () => {
    for (const [encryption, headers] of [
      [undefined, [undefined, undefined]],
      [{ kind: 's3' }, ['AES256', undefined]],
      [{ kind: 'kms', keyId: 'k1' }, ['aws:kms', 'k1']],
    ] as const) {
      store = createS3Store({ ...double.settings, ...(encryption && { encryption }) });
      await store.put('a', utf8('x'));
      const sent = double.requests.findLast(({ method }) => method === 'PUT')!.headers;
      expect([sent['x-amz-server-side-encryption'], sent['x-amz-server-side-encryption-aws-kms-key-id']]).toEqual(headers);
    }
  });

  test('checksums are verified where the server gives back only metadata, and objects without any are refused (S5)', async () => {
    await restart({ forgetChecksums: true });
    await store.put('a', utf8('precious'));
    expect((await store.get('a'))?.bytes.length).toBe(8);
    double.damage('a');
    await expect(store.get('a')).rejects.toMatchObject({ code: 'TW_DATA_DAMAGED' });
    double.putForeign('b', utf8('x'));
    await expect(store.get('b')).rejects.toThrow('--checksum-algorithm CRC32C');
  });

  test('a client with retries of its own is refused, since they would meet their own effect', async () => {
    const { endpoint, region, credentials } = double.settings;
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 3 });
    await expect(new S3ObjectStore(client, 'bucket').put('a', utf8('x'))).rejects.toMatchObject({ code: 'TW_SETTING' });
  });

  test('settings that cannot work are refused by name', () => {
    const settings = double.settings;
    const wrong = [
      { endpoint: 'here' },
      { endpoint: 'http://key:secret@host' },
      { timeoutMs: 0 },
      { region: '' },
      { bucket: '' },
    ];
    for (const change of wrong) {
      expect(() => createS3Store({ ...settings, ...change })).toThrow(expect.objectContaining({ code: 'TW_SETTING' }));
    }
  });

  test('more than a thousand objects are listed and deleted', async () => {
    const keys = Array.from({ length: 1_050 }, (_, index) => `many/${index.toString().padStart(5, '0')}`);
    await Promise.all(keys.map(key => store.put(key, utf8('x'))));
    expect((await store.list('many/')).length).toBe(1_000);
    expect((await store.list('many/', { startAfter: keys[999] })).map(({ key }) => key)).toEqual(keys.slice(1_000));
    await store.delete(keys);
    expect(await store.list('')).toEqual([]);
    expect(double.requests.filter(({ method }) => method === 'POST').length).toBe(2);
  });

  test('look-alikes that ignore conditions, or decide before they lock, are refused by the probe (S4)', async () => {
    for (const options of [{ ignoreConditions: true }, { decideEarly: true }]) {
      await restart(options);
      await expect(probeConditionalPuts(store, seededRandom(5))).rejects.toMatchObject({ code: 'TW_STORE_UNSAFE' });
      expect(await store.list('')).toEqual([]);
    }
  });

  test('the probe of a store that answers badly says unavailable, not unsafe', async () => {
    double.faultNext('PUT', { kind: 'status', status: 500, code: 'InternalError' });
    await expect(probeConditionalPuts(store, seededRandom(5))).rejects.toMatchObject({ code: 'TW_STORAGE_UNAVAILABLE' });
  });

  test('with retries, a store that fails now and then answers as one that does not, and no put is sent twice in doubt', async () => {
    const down = { kind: 'status', status: 503, code: 'SlowDown' } as const;
    const patient = withRetries(store, { clock: instantClock(), random: seededRandom(2) });
    for (const method of ['PUT', 'GET', 'HEAD', 'POST']) double.faultNext(method, down, down);
    expect(await patient.put('a', utf8('x'), { ifAbsent: true })).toMatchObject({ kind: 'ok' });
    expect((await patient.get('a'))?.bytes.length).toBe(1);
    expect((await patient.head('a'))?.size).toBe(1);
    await patient.delete(['a']);
    const before = putRequests();
    double.faultNext('PUT', { kind: 'lose-after' });
    expect(await patient.put('a', utf8('x'), { ifAbsent: true })).toMatchObject({ kind: 'unknown' });
    expect(putRequests()).toBe(before + 1);
  });
});
