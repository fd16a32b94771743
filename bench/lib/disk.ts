import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Sequential appends of `bytes`, each with its fdatasync, per second: what one durable writer can reach at most. */
export function rawFdatasyncRate(folder: string, bytes: number, count: number): number {
  const file = openSync(join(folder, 'raw-fdatasync'), 'w');
  const block = new Uint8Array(bytes).fill(120);
  const startedMs = performance.now();
  for (let index = 0; index < count; index++) {
    writeSync(file, block, 0, bytes, index * bytes);
    fdatasyncSync(file);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  closeSync(file);
  return count / seconds;
}
