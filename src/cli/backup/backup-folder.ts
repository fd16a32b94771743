import { readdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { type Clock, randomId, systemRandom, TailwaterError } from '../../base/index.ts';
import { type Pin, Pins } from '../../journal/index.ts';
import { pathsOf } from '../../server/index.ts';
import { FileObjectStore, nodeFileSystem, type ObjectStore, storageError } from '../../storage/index.ts';
import { checkFolder, type DoctorReport } from '../doctor/check-place.ts';
import { type Copied, copyFolder } from './copy-folder.ts';

export interface BackupReport extends Copied {
  target: string;
  /** The last segment of the log that it has, and the records in it. */
  head: number;
  records: number;
}

const HOLD_MS = 3_600_000;
export const MAX_ATTEMPTS = 3;

/**
 * Copies a data folder, also under a running server, and verifies the copy as `tailwater doctor` does before it gets its name: what is at `target` is whole. It
 * holds everything acknowledged before the call. Throws TW_SETTING, TW_DATA_DAMAGED, TW_STORAGE_FULL, TW_STORAGE_UNAVAILABLE; nothing is left then.
 */
export async function backupFolder(
  folder: string,
  target: string,
  { clock, progress }: { clock: Clock; progress: (text: string) => void },
): Promise<BackupReport> {
  const [from, to] = [resolve(folder), resolve(target)];
  await requirePlace(from, to);
  const partial = `${to}.partial-${randomId(systemRandom)}`;
  const hold = await holdEverything(new FileObjectStore(nodeFileSystem, pathsOf(from).objects, systemRandom), clock);
  try {
    for (let attempt = 1; ; attempt++) {
      const copied = await copyFolder(from, partial, ({ files, bytes }) => progress(`${files} files, ${bytes} bytes copied`));
      const found = await checkFolder(partial, text => progress(`Verifying: ${text}`));
      if (found.findings.length === 0) {
        await rename(partial, to);
        await nodeFileSystem.syncFolder(dirname(to));
        const { head, records } = found.log;
        return { target: to, ...copied, head, records };
      }
      await rm(partial, { recursive: true, force: true });
      if (attempt === MAX_ATTEMPTS) throw notWhole(from, found);
    }
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw storageError(error, `The backup to ${to} failed`);
  } finally {
    await hold.release();
  }
}

async function requirePlace(from: string, to: string): Promise<void> {
  if (to === from || to.startsWith(from + sep)) throw setting(`${to} lies in the data folder itself`);
  await requireAbsent(to);
}

export async function requireAbsent(to: string): Promise<void> {
  const entries = await readdir(to).catch(error => {
    if (error.code === 'ENOENT') return null;
    throw setting(`${to} cannot be written to: ${error.message}`);
  });
  if (entries !== null) throw setting(`${to} exists already; a backup is a new folder`);
}

/** A pin of a kind that no collector knows keeps everything. It is renewed until it is released. */
export async function holdEverything(store: ObjectStore, clock: Clock): Promise<Pick<Pin, 'release'>> {
  const pin = await new Pins(store, 'backup', clock, systemRandom).create({ kind: 'backup' }, HOLD_MS);
  const renew = (): void => {
    timer = clock.after(HOLD_MS / 4, renew);
    pin.renew(HOLD_MS).catch(() => {});
  };
  let timer = clock.after(HOLD_MS / 4, renew);
  return {
    release: async () => {
      timer.cancel();
      await pin.release();
    },
  };
}

function setting(problem: string): TailwaterError {
  return new TailwaterError('TW_SETTING', { detail: `${problem}.`, data: { setting: 'target' } });
}

export function notWhole(from: string, { findings }: DoctorReport): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', {
    detail: `No copy was whole in ${MAX_ATTEMPTS} attempts; the first thing wrong: ${findings[0].part}: ${findings[0].detail} Run \`tailwater doctor\` on ${from}.`,
  });
}
