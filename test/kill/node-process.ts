import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/base/index.ts';
import type { NodeSettings } from './node-main.ts';

const MAIN = fileURLToPath(new URL('./node-main.ts', import.meta.url));
/** Machines that run tests can be very busy. */
const READY_WITHIN_MS = 120_000;
const KEPT_STDERR = 4000;

/** A node in a process group of its own, which can be killed at any moment. */
export class NodeProcess {
  readonly #child: ChildProcess;
  /** Where it listens, once it does; rejects when it ends before. */
  readonly url: Promise<string>;
  readonly ended: Promise<void>;
  #stderr = '';
  #isEnded = false;

  constructor(settings: NodeSettings) {
    this.#child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, JSON.stringify(settings)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'tailwater-kill-compiled') },
    });
    this.#child.stderr!.on('data', chunk => {
      this.#stderr = (this.#stderr + chunk).slice(-KEPT_STDERR);
    });
    this.ended = new Promise(resolve => this.#child.once('exit', () => resolve()));
    void this.ended.then(() => {
      this.#isEnded = true;
    });
    this.url = this.#listening();
    this.url.catch(() => {});
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** What it said last of problems. */
  get stderr(): string {
    return this.#stderr;
  }

  /** `group`: with its compaction process; else that lives on for a moment, as an orphan. Resolves when the node is dead. */
  async kill(whom: 'group' | 'alone'): Promise<void> {
    signal(whom === 'group' ? -this.pid : this.pid, 'SIGKILL');
    await this.ended;
  }

  /** Kills only its compaction process, when there is one to be found (Linux). */
  killCompaction(): boolean {
    const path = `/proc/${this.pid}/task/${this.pid}/children`;
    if (!existsSync(path)) return false;
    const [child] = readFileSync(path, 'utf8').trim().split(' ').filter(Boolean);
    return child !== undefined && signal(Number(child), 'SIGKILL');
  }

  async stop(): Promise<void> {
    signal(this.pid, 'SIGTERM');
    await this.ended;
  }

  async #listening(): Promise<string> {
    const late = new AbortController();
    const line = new Promise<string>(resolve => createInterface(this.#child.stdout!).once('line', resolve));
    const tooLate = systemClock.sleep(READY_WITHIN_MS, late.signal).then(() => `it did not listen within ${READY_WITHIN_MS} ms`);
    tooLate.catch(() => {});
    const ended = this.ended.then(() => 'it ended before it listened');
    try {
      const failure = await Promise.race([line.then(() => null), tooLate, ended]);
      if (failure !== null) throw new Error(`A node did not start: ${failure}. ${this.#stderr}`);
      return await line;
    } finally {
      late.abort();
    }
  }
}

/** False when there is no such process any more. */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
