import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Clock, randomId, systemRandom } from '../../base/index.ts';
import { ObjectJournal } from '../../journal/index.ts';
import { FormatTableStore, LocalTableFiles } from '../../lakehouse/index.ts';
import { joinDeploymentToVerify, LOG_PREFIX, previewFolder, type S3Storage, TABLES } from '../../server/index.ts';
import { nodeFileSystem, storageError } from '../../storage/index.ts';
import { checkPlace, type DoctorReport } from '../doctor/check-place.ts';
import { checkObjectLog, type Place, withScratchCache } from '../doctor/place.ts';
import { type BackupReport, holdEverything, MAX_ATTEMPTS, notWhole, requireAbsent } from './backup-folder.ts';
import { type CopiedObject, CopiedStore } from './copied-store.ts';
import { copyDeployment } from './copy-deployment.ts';

/** What was copied, beside it: a line for each object, `crc32c size key`. */
const MANIFEST = 'backup.txt';

/**
 * Copies a deployment on S3 into a folder, a file for each object, also while nodes are at work, and verifies the copy as `tailwater doctor` does before it gets
 * its name. Throws as `backupFolder` does; nothing is left then.
 */
export async function backupDeployment(
  storage: S3Storage,
  target: string,
  { clock, progress }: { clock: Clock; progress: (text: string) => void },
): Promise<BackupReport> {
  const to = resolve(target);
  await requireAbsent(to);
  const partial = `${to}.partial-${randomId(systemRandom)}`;
  return withScratchCache(storage, async scratch => {
    const { folder, close } = await joinDeploymentToVerify(scratch, systemRandom);
    const hold = await holdEverything(folder.store, clock);
    try {
      for (let attempt = 1; ; attempt++) {
        const objects = await copyDeployment(folder.store, partial, ({ files, bytes }) =>
          progress(`${files} objects, ${bytes} bytes copied`),
        );
        const found = await verified(partial, objects, text => progress(`Verifying: ${text}`));
        if (found.findings.length === 0) {
          await writeManifest(partial, objects);
          await rename(partial, to);
          await nodeFileSystem.syncFolder(dirname(to));
          const bytes = objects.reduce((sum, { size }) => sum + size, 0);
          return { target: to, files: objects.length, bytes, head: found.log.head, records: found.log.records };
        }
        await rm(partial, { recursive: true, force: true });
        if (attempt === MAX_ATTEMPTS) throw notWhole(`s3://${storage.s3.bucket}/${storage.s3.prefix}`, found);
      }
    } catch (error) {
      await rm(partial, { recursive: true, force: true });
      throw storageError(error, `The backup to ${to} failed`);
    } finally {
      await hold.release();
      await close();
    }
  });
}

async function verified(
  folder: string,
  objects: readonly CopiedObject[],
  progress: (text: string) => void,
): Promise<DoctorReport> {
  await using place = await copyPlace(folder, objects);
  return await checkPlace(place, progress);
}

/** The copy, as the deployment that it is of. */
async function copyPlace(folder: string, objects: readonly CopiedObject[]): Promise<Place> {
  const store = new CopiedStore(folder, objects);
  const folders = { lance: join(folder, TABLES.lance), iceberg: join(folder, TABLES.iceberg) };
  const tables = await FormatTableStore.open(folders, { iceberg: { checkedBytes: Number.POSITIVE_INFINITY } });
  const journal = new ObjectJournal(store, LOG_PREFIX);
  return {
    name: folder,
    ...{ store, tables },
    warehouse: new LocalTableFiles(join(folder, TABLES.warehouse)),
    // All, those of LanceDB too.
    objectPrefixes: async () => [''],
    journal: async () => new ObjectJournal(store, LOG_PREFIX),
    checkFormat: async () => null,
    checkLog: (findings, seen) => checkObjectLog(store, findings, seen),
    previewCollection: () => previewFolder({ journal, store, tables }),
    [Symbol.asyncDispose]: () => tables.close(),
  };
}

async function writeManifest(folder: string, objects: readonly CopiedObject[]): Promise<void> {
  const lines = objects.map(({ key, size, crc32c }) => `${crc32c.toString(16).padStart(8, '0')} ${size} ${key}\n`);
  await writeFile(join(folder, MANIFEST), lines.sort().join(''), { flush: true });
  await nodeFileSystem.syncFolder(folder);
}
