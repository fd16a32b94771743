import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { TailwaterClient } from '../../src/client.ts';

const BIN = fileURLToPath(new URL('../../bin/tailwater.js', import.meta.url));

/** A real server on a folder of its own, compacting only when told to. */
export interface RunningNode extends AsyncDisposable {
  client: TailwaterClient;
  url: string;
  dataDir: string;
}

export async function startNode(): Promise<RunningNode> {
  // A space, as home folders have: addresses must name such paths as engines read them.
  const folder = await mkdtemp(join(tmpdir(), 'tailwater interop-'));
  const dataDir = join(folder, 'data');
  const child = spawn(process.execPath, [BIN, 'start', '--port', '0', '--json', '--log-level', 'error', '--data', dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>(resolve => child.on('close', () => resolve()));
  const url = await addressOf(child);
  return {
    client: new TailwaterClient({ url }),
    url,
    dataDir,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => reject(new Error(`The server ended with ${code}.`)));
    createInterface(child.stdout!).once('line', line => resolve(JSON.parse(line).url));
  });
}
