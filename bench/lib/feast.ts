import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('feast_online.py', import.meta.url));
const ENVIRONMENT = join(homedir(), '.cache/tailwater-feast');
const PACKAGES = ['feast==0.67.0', 'redis==8.1.0'];

interface Latency {
  p50: number;
  p99: number;
  cpuMs: number;
}

export interface FeastResult {
  store: 'sqlite' | 'redis';
  /** One entity, 20 features; 100 entities, 50 features. Milliseconds, in the process of the caller. */
  one: Latency;
  hundred: Latency;
}

/** Feast with its local online stores, installed from PyPI when it is not there. `log` says why one is left out. */
export async function feastOnline(folder: string, calls: number, log: (line: string) => void): Promise<FeastResult[]> {
  const python = join(ENVIRONMENT, 'bin/python');
  try {
    if (!existsSync(python)) await run('python3', ['-m', 'venv', ENVIRONMENT]);
    await run(python, ['-c', 'import feast, redis']).catch(() => run(python, ['-m', 'pip', 'install', '-q', ...PACKAGES]));
  } catch (error) {
    log(`Feast is left out: it cannot be installed from PyPI (${String(error).slice(0, 200)})`);
    return [];
  }
  const results = [await measured(python, 'sqlite', join(folder, 'feast-sqlite'), [String(calls)])];
  const redis = await startRedis(folder).catch(error => {
    log(`Feast with redis is left out: redis-server does not start (${String(error).slice(0, 200)})`);
    return null;
  });
  if (redis === null) return results;
  try {
    const address = [String(calls), `127.0.0.1:${redis.port}`];
    results.push(await measured(python, 'redis', join(folder, 'feast-redis'), address));
  } finally {
    redis.server.kill();
  }
  return results;
}

async function measured(python: string, store: FeastResult['store'], folder: string, more: string[]): Promise<FeastResult> {
  mkdirSync(folder);
  const { stdout } = await run(python, [SCRIPT, store, folder, ...more], {
    env: { ...process.env, FEAST_USAGE: 'False', OMP_NUM_THREADS: '1' },
    maxBuffer: 64 * 1024 * 1024,
  });
  return { store, ...JSON.parse(stdout.trim().split('\n').at(-1)!) };
}

async function startRedis(folder: string): Promise<{ server: ChildProcess; port: number }> {
  const port = await freePort();
  const server = spawn(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', code => reject(new Error(`it ended with ${code}`)));
    server.stdout!.on('data', data => {
      if (String(data).includes('Ready to accept connections')) resolve();
    });
  });
  return { server, port };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
