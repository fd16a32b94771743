import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { randomId, systemRandom } from '../../src/base/index.ts';
import type { S3Settings } from '../../src/storage/index.ts';

/** How a real S3 server is reached that `test/storage/real-s3.sh start` started; null when none was. */
export function realS3(): Omit<S3Settings, 'prefix'> | null {
  const endpoint = process.env.TEST_S3_ENDPOINT;
  if (endpoint === undefined) return null;
  return {
    endpoint,
    region: process.env.TEST_S3_REGION ?? 'us-east-1',
    bucket: process.env.TEST_S3_BUCKET ?? 'tailwater-test',
    credentials: {
      accessKeyId: process.env.TEST_S3_ACCESS_KEY ?? '',
      secretAccessKey: process.env.TEST_S3_SECRET ?? '',
    },
    timeoutMs: 20_000,
  };
}

export function freshPrefix(folder: string): string {
  return `${folder}/${randomId(systemRandom)}`;
}

export async function makeBucket({ endpoint, region, bucket, credentials }: Omit<S3Settings, 'prefix'>): Promise<void> {
  const client = new S3Client({ endpoint: endpoint!, region, credentials: credentials!, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: bucket })).catch(error => {
    if (!['BucketAlreadyOwnedByYou', 'BucketAlreadyExists'].includes(error.name)) throw error;
  });
  client.destroy();
}
