import { join } from 'node:path';
import { Tailwater } from '../../src/server/index.ts';
import type { S3Settings } from '../../src/storage/index.ts';
import type { TestCli } from '../cli/cli-support.ts';

/** A node on a deployment, in this process; nothing happens by itself. */
export async function openOn(cli: TestCli, s3: S3Settings): Promise<Tailwater> {
  const cache = { folder: join(cli.folder, 'cache'), maxDiskBytes: 1e9, maxMemoryBytes: 1e8 };
  return Tailwater.open({
    ...{ dataDir: cli.dataDir, storage: { s3, cache }, compactionHost: 'inline', compaction: { auto: false } },
    collection: { auto: false, graceMs: 0, logHistoryMs: 0, historySlack: 0 },
  });
}

/** A stream of each format, each with a table, superseded versions and a tail. */
export async function fill(tailwater: Tailwater): Promise<void> {
  await tailwater.createStream('docs', { kind: 'upsert', key: 'id', search: { fields: ['text'] } });
  await tailwater.createStream('events', { kind: 'append', partitions: 2 });
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 4; n++) {
      await tailwater.append('docs', [{ value: { id: `d${n % 3}`, text: `text ${round} ${n}` } }]);
      await tailwater.append('events', [{ key: `k${n}`, value: { n } }]);
    }
    if (round < 2) for (const name of ['docs', 'events']) await tailwater.compact(name);
  }
}

/** How a command is told of the deployment. */
export function environmentOf(s3: S3Settings): Record<string, string> {
  return {
    TAILWATER_STORAGE: `s3://${s3.bucket}/${s3.prefix}`,
    TAILWATER_S3_ENDPOINT: s3.endpoint!,
    TAILWATER_S3_ACCESS_KEY_ID: s3.credentials!.accessKeyId,
    TAILWATER_S3_SECRET_ACCESS_KEY: s3.credentials!.secretAccessKey,
  };
}
