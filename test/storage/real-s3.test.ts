import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, test } from 'vitest';
import { randomId, systemRandom } from '../../src/base/index.ts';
import { createS3Store, type ObjectStore } from '../../src/storage/index.ts';
import { objectStoreConformance } from '../conformance/object-store.ts';

const endpoint = process.env.TEST_S3_ENDPOINT;
const bucket = process.env.TEST_S3_BUCKET ?? 'tailwater-test';
const region = process.env.TEST_S3_REGION ?? 'us-east-1';
const credentials = {
  accessKeyId: process.env.TEST_S3_ACCESS_KEY ?? '',
  secretAccessKey: process.env.TEST_S3_SECRET ?? '',
};

if (endpoint === undefined) {
  test('the S3 store is tested on a double; a real server is left out', () => {
    console.log('Left out: the S3 store on a real server. To include it: eval "$(test/storage/real-s3.sh start)"');
    expect(endpoint).toBeUndefined();
  });
} else {
  describe(`on ${endpoint}`, () => {
    beforeAll(async () => {
      const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
      await client.send(new CreateBucketCommand({ Bucket: bucket })).catch(error => {
        if (!['BucketAlreadyOwnedByYou', 'BucketAlreadyExists'].includes(error.name)) throw error;
      });
      client.destroy();
    });
    objectStoreConformance(
      'S3ObjectStore on a real server',
      async () => {
        const settings = {
          endpoint,
          region,
          bucket,
          credentials,
          prefix: `conformance/${randomId(systemRandom)}`,
          timeoutMs: 20_000,
        };
        const store = createS3Store(settings);
        const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
        const putForeign = async (key: string, Body: Uint8Array): Promise<void> => {
          await client.send(new PutObjectCommand({ Bucket: bucket, Key: `${settings.prefix}/${key}`, Body }));
        };
        const close = async (): Promise<void> => {
          client.destroy();
          await removeAll(store);
        };
        return { store, other: createS3Store(settings), putForeign, close };
      },
      { keysMayNest: false, histories: 5 },
    );
  });
}

async function removeAll(store: ObjectStore): Promise<void> {
  for (let page = await store.list(''); page.length > 0; page = await store.list(''))
    await store.delete(page.map(({ key }) => key));
}
