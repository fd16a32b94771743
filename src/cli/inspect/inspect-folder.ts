import { readFile } from 'node:fs/promises';
import { isJsonObject, systemRandom, TailwaterError } from '../../base/index.ts';
import { pathsOf } from '../../server/index.ts';
import { FileObjectStore, nodeFileSystem } from '../../storage/index.ts';
import { findServer } from '../server-note.ts';
import { Damages } from './damages.ts';
import { inspectLog } from './inspect-log.ts';
import { inspectObjects, inspectStreams } from './inspect-tables.ts';
import type { FolderReport } from './report.ts';

/** Looks through a data folder without changing or locking anything, so that it may belong to a running server. */
export async function inspectFolder(folder: string): Promise<FolderReport> {
  const paths = pathsOf(folder);
  const damages = new Damages();
  const formatVersion = await readFormat(paths.format, damages);
  const records = new Map<string, number>();
  const log = await inspectLog(paths.log, damages, segment => {
    for (const { incarnation, batch } of segment.batches) records.set(incarnation, (records.get(incarnation) ?? 0) + batch.count);
  });
  const store = new FileObjectStore(nodeFileSystem, paths.objects, systemRandom);
  const objects = await inspectObjects(store, damages);
  const streams = await inspectStreams(store, paths, damages);
  for (const stream of streams) stream.logRecords = records.get(stream.incarnation) ?? 0;
  return { folder, formatVersion, server: await findServer(folder), log, objects, streams, damaged: damages.list };
}

export async function readFormat(path: string, damages: Damages): Promise<number | null> {
  if ((await nodeFileSystem.stat(path)) === null) {
    damages.add(
      'format.json',
      new TailwaterError('TW_SETTING', { detail: 'There is no format.json: this is not a data folder.' }),
    );
    return null;
  }
  return damages.of('format.json', async () => {
    const found: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isJsonObject(found) && typeof found.formatVersion === 'number' ? found.formatVersion : null;
  });
}
