import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TailwaterError } from '../../src/base/index.ts';
import { envName, flagName } from '../../src/server/config/setting.ts';
import { SETTINGS } from '../../src/server/config/setting-list.ts';
import { settingsDoc } from '../../src/server/config/settings-doc.ts';
import { nodeConfig, readConfig, readConfigFile } from '../../src/server/index.ts';
import { settingsOf } from '../../src/server/settings.ts';

const NOTHING = { env: {}, flags: new Map<string, string>() };
const file = (content: object) => ({ file: { path: 'tailwater.config.json', content: JSON.parse(JSON.stringify(content)) } });

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof TailwaterError && error.code === 'TW_SETTING') return error.message;
    throw error;
  }
  throw new Error('It was accepted.');
}

describe('a configuration', () => {
  test('is the file’s, then the environment’s, then the command line’s', () => {
    const sources = {
      ...file({ port: 1, log: { lingerMs: 1, segmentBytes: '2 MiB' } }),
      env: { TAILWATER_LOG_LINGER_MS: '2', TAILWATER_PORT: '2' },
      flags: new Map([['port', '3']]),
    };
    const config = readConfig(sources);
    expect(Object.fromEntries(config)).toEqual({ port: 3, 'log.lingerMs': 2, 'log.segmentBytes': 2 * 1024 ** 2 });
  });

  test('has names of its own for every setting in each of its ways', () => {
    for (const names of [
      SETTINGS.map(each => each.name),
      SETTINGS.map(envName),
      SETTINGS.map(flagName).filter(each => each !== null),
    ])
      expect(new Set(names).size).toBe(names.length);
  });

  test('that cannot be says which setting, its unit and its range, and where it stands', () => {
    const bad = (content: object): string => messageOf(() => readConfig({ ...NOTHING, ...file(content) }));
    expect(bad({ log: { lingerMs: -1 } })).toBe(
      'log.lingerMs in tailwater.config.json: log.lingerMs must be a whole number of ms, 0 to 10,000; -1 is not.',
    );
    expect(bad({ roles: 'ingest,cook' })).toContain('roles must be some of ingest, retrieve, work');
    expect(bad({ log: { lingerms: 5 } })).toContain('there is no setting "log.lingerms"; it is written log.lingerMs');
    expect(bad({ storage: 's3://bucket' })).toContain('storage must be s3://bucket/prefix');
    expect(messageOf(() => readConfig({ ...NOTHING, env: { TAILWATER_CACHE_DISK_BYTES: '10 parsec' } }))).toBe(
      'the environment variable TAILWATER_CACHE_DISK_BYTES: cache.diskBytes must be a whole number of bytes, 1,048,576 to 1,125,899,906,842,624; "10 parsec" is not.',
    );
  });

  test('of rate limits is none unless it is given, and a burst is of a rate', () => {
    const of = (rateLimits: object) => nodeConfig(readConfig({ ...NOTHING, ...file({ rateLimits }) }), {}).rateLimits;
    expect(of({})).toEqual({});
    expect(of({ requestsPerSecond: 0.5, bytesPerSecond: '5 MiB', bytesBurst: 10 })).toEqual({
      requestsPerSecond: 0.5,
      bytesPerSecond: 5 * 1024 ** 2,
      bytesBurst: 10,
    });
    expect(messageOf(() => of({ requestsBurst: 5 }))).toContain('rateLimits.requestsBurst needs rateLimits.requestsPerSecond');
  });

  test('never shows a secret, and takes none from a command line', () => {
    const secret = 'secret\u0007value';
    const message = messageOf(() => readConfig({ ...NOTHING, env: { TAILWATER_S3_SECRET_ACCESS_KEY: secret } }));
    expect(message).not.toContain('value');
    for (const setting of SETTINGS) if (setting.secret) expect(flagName(setting)).toBeNull();
  });

  test('of S3 has the defaults of S3, an address, credentials that go together, and encryption', () => {
    const env = { TAILWATER_S3_ACCESS_KEY_ID: 'id', TAILWATER_S3_SECRET_ACCESS_KEY: 'key' };
    const content = {
      storage: 's3://lake/shop/',
      dataDir: 'node',
      s3: { encryption: 'kms', kmsKeyId: 'k1' },
      compaction: { rows: 7 },
    };
    const { engine } = nodeConfig(readConfig({ ...NOTHING, env, ...file(content) }), { AWS_REGION: 'eu-north-1' });
    expect(engine.storage).toMatchObject({
      s3: { bucket: 'lake', prefix: 'shop', region: 'eu-north-1', encryption: { kind: 'kms', keyId: 'k1' } },
      cache: { folder: join('node', 'cache') },
    });
    expect(engine.storage!.s3.credentials).toEqual({ accessKeyId: 'id', secretAccessKey: 'key' });
    const settings = settingsOf(engine);
    expect(settings).toMatchObject({ lingerMs: 200, maxStalenessMs: 1000, compaction: { rows: 7, bytes: 256 * 1024 ** 2 } });
    const half = readConfig({ ...NOTHING, ...file({ storage: 's3://a/b', s3: { accessKeyId: 'id' } }) });
    expect(messageOf(() => nodeConfig(half, {}))).toContain('go together');
  });

  test('without any is that of a folder', () => {
    const { engine, host, port } = nodeConfig(readConfig(NOTHING), {});
    expect([engine.dataDir, host, port]).toEqual(['.tailwater', '127.0.0.1', 8787]);
    expect(settingsOf(engine)).toMatchObject({
      storage: null,
      lingerMs: 0,
      maxStalenessMs: 0,
      roles: ['ingest', 'retrieve', 'work'],
    });
  });

  test('is read from a TypeScript or a JSON file, and a file that cannot be read is named', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tailwater-config-'));
    try {
      expect(await readConfigFile(undefined, folder)).toBeUndefined();
      await writeFile(join(folder, 'tailwater.config.json'), '{"port": 9}');
      expect((await readConfigFile(undefined, folder))!.content).toEqual({ port: 9 });
      await writeFile(join(folder, 'tailwater.config.ts'), 'const port: number = 8; export default { port };');
      expect((await readConfigFile(undefined, folder))!.content).toEqual({ port: 8 });
      await writeFile(join(folder, 'broken.json'), '{"port": ');
      await expect(readConfigFile('broken.json', folder)).rejects.toMatchObject({ code: 'TW_SETTING' });
      await expect(readConfigFile('missing.json', folder)).rejects.toThrow(/missing\.json/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

test('docs/SETTINGS.md says what the code says', async () => {
  expect(await readFile(new URL('../../docs/SETTINGS.md', import.meta.url), 'utf8')).toBe(settingsDoc());
});
