import { type ChildProcess, fork } from 'node:child_process';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Logger, TailwaterError } from '../base/index.ts';
import type { TableVersions, VectorAnswer, VectorRequest } from '../lakehouse/index.ts';
import type { MeteredRequests } from '../storage/index.ts';
import type { StreamDefinition } from '../streams/index.ts';
import type { CompactionJob, CompactionMessage, ComputedVectors, OpenStorage, PruneJob } from './compaction-protocol.ts';
import type { StorageChoice } from './deployment/open-storage.ts';

const LOW_PRIORITY = 10;

/** One job, before it has a number. */
export type CompactionOrder = Omit<CompactionJob, 'id'>;

/** Runs compaction jobs, wherever. */
export interface CompactionRunner {
  /** Resolves with the number of the newest table state; null: there is no table. */
  run(order: CompactionOrder): Promise<number | null>;
  /** As TableStore.prune: it rewrites parts of the table, so it is done where compaction is, between its jobs. */
  prune(definition: StreamDefinition, keep: readonly TableVersions[]): Promise<void>;
  close(): Promise<void>;
}

/** What a runner needs of its node. */
export interface CompactionHooks {
  /** A table state of the stream was committed. */
  onAdvanced(incarnation: string): void;
  /** Vectors that rows of the table lack: what is stored, else computed now. Throws TW_EMBEDDING_FAILED. */
  computedVectorsFor(definition: StreamDefinition, rows: VectorRequest[]): Promise<VectorAnswer>;
  /** What the runner asked of the object store by itself. */
  onRequests?(counts: readonly MeteredRequests[]): void;
}

interface Waiting {
  resolve: (state: number | null) => void;
  reject: (error: unknown) => void;
}

/**
 * A child process of low priority with few threads, so that compaction takes what searches leave. It is started at the first job
 * and again after it died: a job that was cut off has changed nothing or left a committed state, either is fine (C3).
 */
export class CompactionProcess implements CompactionRunner {
  readonly #storage: StorageChoice;
  readonly #threads: number;
  readonly #logger: Logger;
  readonly #hooks: CompactionHooks;
  readonly #waiting = new Map<number, Waiting>();
  #child: ChildProcess | null = null;
  #nextId = 1;
  #closed = false;

  constructor(storage: StorageChoice, threads: number, logger: Logger, hooks: CompactionHooks) {
    this.#storage = storage;
    this.#threads = threads;
    this.#logger = logger;
    this.#hooks = hooks;
  }

  run(order: CompactionOrder): Promise<number | null> {
    return this.#send({ id: this.#nextId++, ...order });
  }

  async prune(definition: StreamDefinition, keep: readonly TableVersions[]): Promise<void> {
    await this.#send({ id: this.#nextId++, definition, keep });
  }

  #send(job: CompactionJob | PruneJob): Promise<number | null> {
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
    const child = fork(path, [], {
      env: { ...process.env, ...threadCaps(this.#threads) },
      serialization: 'advanced',
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    if (child.pid !== undefined) lowerPriority(child.pid);
    child.on('message', (message: CompactionMessage) => this.#receive(message));
    child.once('exit', (code, signal) => this.#exited(code, signal));
    this.#child = child;
    child.send({ open: this.#storage, threads: this.#threads } satisfies OpenStorage);
    return child;
  }

  #receive(message: CompactionMessage): void {
    if (message.kind === 'advanced') this.#hooks.onAdvanced(message.incarnation);
    if (message.kind === 'requests') this.#hooks.onRequests?.(message.counts);
    if (message.kind === 'compute') void this.#compute(message.id, message.definition, message.rows);
    if (message.kind === 'done') this.#settle(message.id, null, message.state);
    if (message.kind === 'failed') {
      this.#settle(message.id, new TailwaterError(message.problem.code, { detail: message.problem.detail }));
    }
  }

  async #compute(id: number, definition: StreamDefinition, rows: VectorRequest[]): Promise<void> {
    const child = this.#child;
    const answer = await this.#hooks.computedVectorsFor(definition, rows).catch(error => {
      this.#logger.warn(
        { stream: definition.name, rows: rows.length, reason: String(error) },
        'Rows of the table stay without vectors',
      );
      return null;
    });
    if (child?.connected) child.send({ computed: id, answer } satisfies ComputedVectors);
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

  #settle(id: number, error: TailwaterError | null, state: number | null = null): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(error);
    else waiting?.resolve(state);
  }
}

/** What LanceDB writes to an object store in one request: a multipart upload costs two more, and one a part of 5 MiB. */
const LANCE_UPLOAD_BYTES = 64 * 1024 ** 2;

/** LANCE_IO_THREADS is left alone: with one of them LanceDB waits for itself for ever. */
function threadCaps(threads: number): Record<string, string> {
  const count = String(threads);
  const upload = { LANCE_INITIAL_UPLOAD_SIZE: String(LANCE_UPLOAD_BYTES) };
  return { ...upload, LANCE_CPU_THREADS: count, TOKIO_WORKER_THREADS: count, RAYON_NUM_THREADS: count };
}

function lowerPriority(pid: number): void {
  try {
    os.setPriority(pid, LOW_PRIORITY);
  } catch {
    // Not permitted everywhere; compaction then competes as an equal.
  }
}
