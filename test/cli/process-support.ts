import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Outcome, TestCli } from './cli-support.ts';

export const BIN = fileURLToPath(new URL('../../bin/tailwater.js', import.meta.url));

export interface Running extends AsyncDisposable {
  child: ChildProcess;
  url: string;
  pid: number;
  /** Sends the signal and resolves when the process has ended. */
  end(signal: NodeJS.Signals): Promise<Ended>;
}

interface Ended {
  code: number | null;
  signal: string | null;
  stderr: string;
}

/** `tailwater start` as a process of its own, once it listens. */
export async function start(cli: Pick<TestCli, 'dataDir'>, node = process.execPath): Promise<Running> {
  const child = spawn(node, [BIN, 'start', '--port', '0', '--json', '--data', cli.dataDir], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', chunk => {
    stderr += chunk;
  });
  const ended = new Promise<Ended>(resolve => child.on('close', (code, signal) => resolve({ code, signal, stderr })));
  const line = await Promise.race([
    new Promise<string>(resolve => createInterface(child.stdout).once('line', resolve)),
    ended.then(({ code }) => Promise.reject(new Error(`start ended with ${code}: ${stderr}`))),
  ]);
  const { url, pid } = JSON.parse(line);
  const end = (signal: NodeJS.Signals): Promise<Ended> => {
    child.kill(signal);
    return ended;
  };
  return { child, url, pid, end, [Symbol.asyncDispose]: async () => void (await end('SIGKILL')) };
}

export function runBin(args: readonly string[], node = process.execPath): Promise<Outcome> {
  return new Promise(resolve => {
    const child = spawn(node, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const outcome = { code: 0, stdout: '', stderr: '' };
    child.stdout.on('data', chunk => {
      outcome.stdout += chunk;
    });
    child.stderr.on('data', chunk => {
      outcome.stderr += chunk;
    });
    child.on('close', code => resolve({ ...outcome, code: code ?? -1 }));
  });
}
