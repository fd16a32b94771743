import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { type TableState, verifyTable } from '../../src/lakehouse/index.ts';
import { createS3Store, MemoryObjectStore } from '../../src/storage/index.ts';
import { freshPrefix, makeBucket, realS3 } from '../harness/real-s3.ts';
import { codeOf } from './catalog-world.ts';
import { expectTableEqualsLog, segment, write } from './compact-oracle.ts';
import { APPENDED, type Objects, type ReplaceWorld, replaceWorld, UPSERTED } from './replace-world.ts';

async function latest({ world }: ReplaceWorld): Promise<TableState> {
  return (await world.states().latest())!;
}

async function expectSound(opened: ReplaceWorld, state?: TableState): Promise<void> {
  const { store, tables, definition } = opened.world;
  const shown = state ?? (await latest(opened));
  await expectTableEqualsLog(opened.world, shown);
  expect(await verifyTable({ store, tables, definition, state: shown })).toEqual([]);
}

const price = (n: number) => ({ id: `k${n}`, text: `note ${n}`, price: n / 2, flag: n % 2 === 0 });

/** Rewrites by an engine whose objects have no crc32c. */
function rewritesIn(name: string, objects: () => Objects, histories: number): void {
  describe(`files of a streamed table in ${name} that another engine rewrote`, () => {
    test('take the place of those before, as objects of Tailwater’s own; what the engine put is gone', async () => {
      await using opened = await replaceWorld(APPENDED, objects());
      for (let n = 0; n < 3; n++) await opened.compacted({ a: price(n), b: price(n + 10) });
      const before = await latest(opened);
      await opened.engine.rewrite();
      expect(await latest(opened)).toMatchObject({ kind: 'replace', rowCount: 6, summary: { removedFiles: 3, addedFiles: 1 } });
      await expectSound(opened);
      await expectSound(opened, before);
      expect((await opened.dataFiles()).filter(file => file.includes('foreign'))).toEqual([]);
      expect((await opened.engine.liveFiles()).length).toBe(1);
      expect(await opened.engine.rows('count(*), count(DISTINCT _offset)')).toEqual([['6', '3']]);
    });

    test.each([
      ['append', APPENDED],
      ['upsert', UPSERTED],
    ])('take writes, deletions and maintenance as Tailwater’s own do: %s', async (_kind, definition) => {
      const rewrite = fc.record({ keepsDeletes: fc.boolean(), keep: fc.nat(2) });
      const step = fc.oneof(segment, rewrite, fc.constant('maintain' as const));
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 6 }), async steps => {
          await using opened = await replaceWorld(definition, objects());
          await opened.compacted({ a: { text: 'first', price: 1 }, b: { text: 'second', price: 2.5 } });
          for (const each of steps) {
            if (each === 'maintain') await opened.world.maintain({ full: true });
            else if ('written' in each) {
              write(opened.world, each);
              await opened.world.compact();
            } else if ((await opened.engine.liveFiles()).length > 0) {
              const keeps = (_path: string, at: number): boolean => each.keep > 0 && at % (each.keep + 1) === 1;
              await opened.engine.rewrite({ keepsDeletes: each.keepsDeletes || each.keep > 0, keeps });
            }
          }
          await expectSound(opened);
        }),
        { numRuns: histories },
      );
    });

    test('are refused with other rows, or when an object is not there, and nothing changes', async () => {
      await using opened = await replaceWorld(APPENDED, objects());
      await opened.compacted({ a: price(1), b: price(2) });
      const before = await latest(opened);
      const files = await opened.dataFiles();
      const refused = [
        [{ select: 'SELECT * FROM live LIMIT 1' }, 'TW_COMMIT_CONFLICT'],
        [{ select: 'SELECT * REPLACE (price + 1 AS price) FROM live' }, 'TW_COMMIT_CONFLICT'],
        [{ snapshot: { 'manifest-list': `${objects().address}/other/metadata/list.avro` } }, 'TW_BAD_REQUEST'],
      ] as const;
      for (const [change, code] of refused) expect(await codeOf(opened.engine.rewrite(change))).toBe(code);
      const prepared = await opened.engine.prepare();
      const gone = structuredClone(prepared.updates);
      (gone[0].snapshot as Record<string, unknown>)['manifest-list'] += '.gone';
      expect(await codeOf(opened.engine.commit({ ...prepared, updates: gone }))).toBe('TW_BAD_REQUEST');
      expect(await latest(opened)).toEqual(before);
      const left = (await opened.dataFiles()).filter(file => !file.includes('foreign'));
      expect(left).toEqual(files);
      await opened.engine.commit(prepared);
      await expectSound(opened);
    });
  });
}

describe('an object of an engine', () => {
  test('that is replaced while it is read is not taken, and an earlier content under its name is not remembered', async () => {
    const memory = new MemoryObjectStore();
    const objects = {
      store: memory,
      address: 's3://bucket/p',
      putForeign: async (key: string, bytes: Uint8Array) => memory.putForeign(key, bytes),
    };
    await using opened = await replaceWorld(APPENDED, objects);
    await opened.compacted({ a: price(1), b: price(2) });
    const wrong = await opened.engine.prepare({ select: 'SELECT * FROM live LIMIT 1' });
    const key = wrong.file.slice(objects.address.length + 1);
    const one = (await memory.get(key, { foreign: { etag: (await memory.head(key))!.etag } }))!.bytes;
    expect(await codeOf(opened.engine.commit(wrong))).toBe('TW_COMMIT_CONFLICT');
    const sound = await opened.engine.prepare();
    const other = sound.file.slice(objects.address.length + 1);
    const both = (await memory.get(other, { foreign: { etag: (await memory.head(other))!.etag } }))!.bytes;
    // The name of a commit that was refused, with other content now.
    memory.putForeign(key, both);
    const { head } = memory;
    memory.head = async asked => {
      const found = await head.call(memory, asked);
      if (asked === key) memory.putForeign(key, one);
      return found;
    };
    expect(await codeOf(opened.engine.commit(wrong))).toBe('TW_BAD_REQUEST');
    memory.head = head;
    memory.putForeign(key, both);
    await opened.engine.commit(wrong);
    await expectSound(opened);
  });
});

rewritesIn(
  'an object store in memory',
  () => {
    const store = new MemoryObjectStore();
    return { store, address: 's3://bucket/deployment', putForeign: async (key, bytes) => store.putForeign(key, bytes) };
  },
  6,
);

const s3 = realS3();
if (s3 === null) {
  test('rewrites on a real S3 server are left out', () => {
    console.log('Left out: rewrites of other engines on S3. To include them: eval "$(test/storage/real-s3.sh start)"');
    expect(s3).toBeNull();
  });
} else {
  beforeAll(() => makeBucket(s3));
  const { endpoint, region, bucket, credentials } = s3;
  const client = new S3Client({ endpoint: endpoint!, region, credentials: credentials!, forcePathStyle: true });
  rewritesIn(
    'a real S3 server',
    () => {
      const prefix = freshPrefix('rewrites');
      const putForeign = async (key: string, Body: Uint8Array): Promise<void> => {
        await client.send(new PutObjectCommand({ Bucket: bucket, Key: `${prefix}/${key}`, Body }));
      };
      return { store: createS3Store({ ...s3, prefix }), address: `s3://${bucket}/${prefix}`, putForeign };
    },
    2,
  );
}
