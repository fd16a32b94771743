import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemRandom, utf8 } from '../../src/base/index.ts';
import { FileObjectStore, nodeFileSystem, VersionedDocument } from '../../src/storage/index.ts';

const PROCESSES = 4;
const TIMES = 40;

test('processes that share a folder lose no write, also when one of them is killed while it writes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tailwater-processes-'));
  try {
    const children = Array.from({ length: PROCESSES }, (_, index) => startCounting(folder, index === 0 ? 1_000_000 : TIMES));
    const victim = children[0];
    while (victim.done() < TIMES) await once(victim.process.stdout!, 'data');
    victim.process.kill('SIGKILL');
    const codes = await Promise.all(children.map(child => child.exit));
    expect(codes).toEqual([null, ...Array(PROCESSES - 1).fill(0)]);

    const store = new FileObjectStore(nodeFileSystem, folder, systemRandom);
    const { value } = (await new VersionedDocument<number>(store, 'shared/counter').read())!;
    const acknowledged = children.reduce((sum, child) => sum + child.done(), 0);
    // The victim may have written once more than it could say.
    expect([acknowledged, acknowledged + 1]).toContain(value);
    await store.put('after', utf8('the lock is free and rubbish is swept'));
    expect(await readdir(join(folder, '.tmp'))).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

function startCounting(folder: string, times: number): { process: ChildProcess; done: () => number; exit: Promise<unknown> } {
  const script = new URL('./counting-process.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, folder, String(times)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let done = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    done += chunk.length;
  });
  return { process: child, done: () => done, exit: once(child, 'close').then(([code]) => code) };
}
