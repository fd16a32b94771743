import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject } from '../base/index.ts';
import { TailwaterClient } from '../client.ts';

/** What a running server notes in its data folder, so that commands find it. */
export interface ServerNote {
  url: string;
  pid: number;
}

export function serverNotePath(dataDir: string): string {
  return join(dataDir, 'server.json');
}

const ALIVE_TIMEOUT_MS = 3000;

export async function writeServerNote(dataDir: string, note: ServerNote): Promise<void> {
  const path = serverNotePath(dataDir);
  await writeFile(`${path}.new`, `${JSON.stringify(note)}\n`);
  await rename(`${path}.new`, path);
}

export async function removeServerNote(dataDir: string): Promise<void> {
  await rm(serverNotePath(dataDir), { force: true });
}

/** The server that runs on this folder, if it answers; a note left behind by one that was killed is no server. */
export async function findServer(dataDir: string): Promise<ServerNote | null> {
  const note = await readNote(dataDir);
  if (note === null || !isAlive(note.pid)) return null;
  const client = new TailwaterClient({ url: note.url, timeoutMs: ALIVE_TIMEOUT_MS, maxAttempts: 1 });
  return client.health().then(
    () => note,
    () => null,
  );
}

async function readNote(dataDir: string): Promise<ServerNote | null> {
  try {
    const note: unknown = JSON.parse(await readFile(serverNotePath(dataDir), 'utf8'));
    if (!isJsonObject(note) || typeof note.url !== 'string' || typeof note.pid !== 'number') return null;
    return { url: note.url, pid: note.pid };
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
