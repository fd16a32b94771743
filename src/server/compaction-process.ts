import { type ChildProcess, fork } from 'node:child_process';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Logger, TailwaterError } from '../base/index.ts';
import type { TableVersions } from '../lakehouse/index.ts';
import type { StreamDefinition } from '../streams/index.ts';
import type { CompactionJob, CompactionMessage, PruneJob } from './compaction-protocol.ts';

const LOW_PRIORITY = 10;

/** One job, before it has a number. */
export type CompactionOrder = Omit<CompactionJob, 'id'>;

/** Runs compaction jobs, wherever. */
export interface CompactionRunner {
  run(order: CompactionOrder): Promise<void>;
  /** As TableStore.prune: it rewrites parts of the table, so it is done where compaction is, between its jobs. */
  prune(definition: StreamDefinition, keep: readonly TableVersions[]): Promise<void>;
  close(): Promise<void>;
}

interface Waiting {
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * A child process of low priority with few threads, so that compaction takes what searches leave. It is started at the first job
 * and again after it died: a job that was cut off has changed nothing or left a committed state, either is fine (C3).
 */
export class CompactionProcess implements CompactionRunner {
  readonly #dataDir: string;
  readonly #threads: number;
  readonly #logger: Logger;
  readonly #onAdvanced: (incarnation: string) => void;
  readonly #waiting = new Map<number, Waiting>();
  #child: ChildProcess | null = null;
  #nextId = 1;
  #closed = false;

  constructor(dataDir: string, threads: number, logger: Logger, onAdvanced: (incarnation: string) => void) {
    this.#dataDir = dataDir;
    this.#threads = threads;
    this.#logger = logger;
    this.#onAdvanced = onAdvanced;
  }

  run(order: CompactionOrder): Promise<void> {
    return this.#send({ id: this.#nextId++, ...order });
  }

  prune(definition: StreamDefinition, keep: readonly TableVersions[]): Promise<void> {
    return this.#send({ id: this.#nextId++, definition, keep });
  }

  #send(job: CompactionJob | PruneJob): Promise<void> {
    if (this.#closed) return Promise.reject(new TailwaterError('TW_CLOSED'));
    return new Promise((resolve, reject) => {
      this.#waiting.set(job.id, { resolve, reject });
      this.#start().send(job, error => {
        if (error) this.#settle(job.id, new TailwaterError('TW_COMPACTION_FAILED', { detail: error.message, cause: error }));
      });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const child = this.#child;
    if (!child) return;
    const ended = new Promise<void>(resolve => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    await ended;
  }

  #start(): ChildProcess {
    if (this.#child) return this.#child;
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const path = fileURLToPath(new URL(`./compaction.worker.${extension}`, import.meta.url));
    const child = fork(path, [this.#dataDir, String(this.#threads)], {
      env: { ...process.env, ...threadCaps(this.#threads) },
      serialization: 'advanced',
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    if (child.pid !== undefined) lowerPriority(child.pid);
    child.on('message', (message: CompactionMessage) => this.#receive(message));
    child.once('exit', (code, signal) => this.#exited(code, signal));
    this.#child = child;
    return child;
  }

  #receive(message: CompactionMessage): void {
    if (message.kind === 'advanced') this.#onAdvanced(message.incarnation);
    if (message.kind === 'done') this.#settle(message.id, null);
    if (message.kind === 'failed') {
      this.#settle(message.id, new TailwaterError(message.problem.code, { detail: message.problem.detail }));
    }
  }

  #exited(code: number | null, signal: string | null): void {
    this.#child = null;
    if (!this.#closed) this.#logger.warn({ code, signal }, 'The compaction process ended; it is started again at the next job');
    for (const id of [...this.#waiting.keys()]) {
      this.#settle(
        id,
        new TailwaterError(this.#closed ? 'TW_CLOSED' : 'TW_COMPACTION_FAILED', { detail: 'The compaction process ended.' }),
      );
    }
  }

  #settle(id: number, error: TailwaterError | null): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(error);
    else waiting?.resolve();
  }
}

/** LANCE_IO_THREADS is left alone: with one of them LanceDB waits for itself for ever. */
function threadCaps(threads: number): Record<string, string> {
  const count = String(threads);
  return { LANCE_CPU_THREADS: count, TOKIO_WORKER_THREADS: count, RAYON_NUM_THREADS: count };
}

function lowerPriority(pid: number): void {
  try {
    os.setPriority(pid, LOW_PRIORITY);
  } catch {
    // Not permitted everywhere; compaction then competes as an equal.
  }
}
