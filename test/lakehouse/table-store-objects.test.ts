import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { systemRandom } from '../../src/base/index.ts';
import {
  IcebergTableStore,
  LanceTableStore,
  lanceStorageOptions,
  ObjectTableFiles,
  objectPlace,
  type TableStore,
} from '../../src/lakehouse/index.ts';
import {
  createS3Store,
  MemoryObjectStore,
  nodeFileSystem,
  ObjectCache,
  type ObjectStore,
  withCache,
} from '../../src/storage/index.ts';
import type { TableTraits } from '../conformance/table-rows.ts';
import { type TableWorld, tableStoreConformance } from '../conformance/table-store.ts';
import { tableStoreColumns } from '../conformance/table-store-columns.ts';
import { tableStoreExpiry } from '../conformance/table-store-expiry.ts';
import { tableStoreHistories } from '../conformance/table-store-histories.ts';
import { tableStoreRaces } from '../conformance/table-store-races.ts';
import { freshPrefix, makeBucket, realS3 } from '../harness/real-s3.ts';

const ICEBERG: TableTraits = { search: false, isolated: true, format: 'iceberg' };
/** Less than a table has: files are evicted all the time. */
const TIGHT_BYTES = 20_000;

/** Iceberg tables in an object store, each process with a cache of its own. */
async function icebergOver(base: ObjectStore, address: string, maxDiskBytes: number): Promise<TableWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'tailwater-objects-'));
  const caches: ObjectCache[] = [];
  const open = async (name: string): Promise<TableStore> => {
    const cache = await ObjectCache.open({
      fs: nodeFileSystem,
      random: systemRandom,
      folder: join(folder, name),
      maxDiskBytes,
      maxMemoryBytes: maxDiskBytes,
      owner: name,
      isGone: () => false,
    });
    caches.push(cache);
    const store = withCache(base, cache, () => true);
    const spoolFolder = join(folder, `${name}-spool`);
    const files = await ObjectTableFiles.open({ store, prefix: 'iceberg', address, cache, spoolFolder });
    return IcebergTableStore.open('', { files });
  };
  const store = await open('one');
  const other = await open('other');
  return {
    store,
    other,
    close: async () => {
      await store.close();
      await other.close();
      for (const cache of caches) await cache.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const overMemory = (): Promise<TableWorld> => icebergOver(new MemoryObjectStore(), 's3://bucket/deployment', 1_000_000_000);
const evicting = (): Promise<TableWorld> => icebergOver(new MemoryObjectStore(), 's3://bucket/deployment', TIGHT_BYTES);

tableStoreConformance('Iceberg in an object store', overMemory, ICEBERG);
tableStoreColumns('Iceberg in an object store', overMemory, ICEBERG);
tableStoreExpiry('Iceberg in an object store', overMemory, ICEBERG);
tableStoreRaces('Iceberg in an object store, with a cache that is too small', evicting, 6, ICEBERG);
tableStoreHistories('Iceberg in an object store, with a cache that is too small', evicting, 8, ICEBERG);

const s3 = realS3();
if (s3 === null) {
  test('tables on a real S3 server are left out', () => {
    console.log(
      'Left out: Lance and Iceberg tables on a real S3 server. To include them: eval "$(test/storage/real-s3.sh start)"',
    );
    expect(s3).toBeNull();
  });
} else {
  beforeAll(() => makeBucket(s3));
  const lance = async (): Promise<TableWorld> => {
    const settings = { ...s3, prefix: freshPrefix('lance-tables') };
    const address = `s3://${settings.bucket}/${settings.prefix}`;
    const options = { store: createS3Store(settings), prefix: 'lance', address, storageOptions: lanceStorageOptions(settings) };
    const store = await LanceTableStore.open(objectPlace(options));
    const other = await LanceTableStore.open(objectPlace(options));
    return { store, other, close: () => Promise.all([store.close(), other.close()]).then(() => {}) };
  };
  const iceberg = (): Promise<TableWorld> => {
    const settings = { ...s3, prefix: freshPrefix('iceberg-tables') };
    return icebergOver(createS3Store(settings), `s3://${settings.bucket}/${settings.prefix}`, 1_000_000_000);
  };
  tableStoreConformance('LanceDB on S3', lance);
  tableStoreRaces('LanceDB on S3', lance, 3);
  tableStoreHistories('LanceDB on S3', lance, 3);
  tableStoreColumns('LanceDB on S3', lance);
  tableStoreExpiry('LanceDB on S3', lance);
  tableStoreConformance('Iceberg on S3', iceberg, ICEBERG);
  tableStoreRaces('Iceberg on S3', iceberg, 3, ICEBERG);
  tableStoreHistories('Iceberg on S3', iceberg, 3, ICEBERG);
}
