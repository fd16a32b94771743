import { asTailwaterError, silentLogger, systemClock, systemRandom, TailwaterError } from '../base/index.ts';
import type { CompactionContext, VectorAnswer, VectorRequest } from '../lakehouse/index.ts';
import { Embedders } from '../snapshot/index.ts';
import type { MeteredRequests, RequestMeter } from '../storage/index.ts';
import { LogReader, type StreamDefinition } from '../streams/index.ts';
import type { CompactionJob, CompactionMessage, ComputedVectors, OpenStorage, PruneJob } from './compaction-protocol.ts';
import { joinStorage } from './deployment/open-storage.ts';
import { runCompaction } from './run-compaction.ts';

/** The compaction process of a node: takes jobs over IPC, one after another, and ends when the node does. */
async function open({ open: storage, threads }: OpenStorage): Promise<Opened> {
  const folder = await joinStorage(storage, systemRandom, threads);
  const embedders = new Embedders({ store: folder.store, clock: systemClock, random: systemRandom, secrets: {} });
  const context: CompactionContext = {
    store: folder.store,
    tables: folder.tables,
    log: new LogReader(folder.journal),
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    vectorsFor: embedders.vectorsFor.bind(embedders),
    computedVectorsFor: (definition, rows) => asks.ask(definition, rows),
    ...(folder.compaction && { settings: folder.compaction }),
  };
  return { context, requests: folder.requests ?? null };
}

interface Opened {
  context: CompactionContext;
  requests: RequestMeter | null;
}

/** Vectors asked of the node, by number. */
class Asks {
  readonly #waiting = new Map<number, (answer: VectorAnswer | null) => void>();
  #nextId = 1;

  ask(definition: StreamDefinition, rows: VectorRequest[]): Promise<VectorAnswer> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, answer => (answer === null ? reject(new TailwaterError('TW_EMBEDDING_FAILED')) : resolve(answer)));
      send({ kind: 'compute', id, definition, rows });
    });
  }

  settle({ computed, answer }: ComputedVectors): void {
    this.#waiting.get(computed)?.(answer);
    this.#waiting.delete(computed);
  }
}

async function runJob(opened: Promise<Opened>, job: CompactionJob | PruneJob): Promise<void> {
  const { incarnation } = job.definition;
  try {
    const { context } = await opened;
    let state: number | null = null;
    if ('keep' in job) await context.tables.prune(job.definition, job.keep);
    else state = await runCompaction(context, job, () => send({ kind: 'advanced', incarnation }));
    await sendRequests(opened);
    send({ kind: 'done', id: job.id, state });
  } catch (error) {
    send({ kind: 'failed', id: job.id, problem: asTailwaterError(error).toProblem() });
  }
}

/** Of each component and operation, what was told of it already. */
const told = new Map<string, MeteredRequests>();

async function sendRequests(opened: Promise<Opened>): Promise<void> {
  const { requests } = await opened;
  const counts = requests?.counts() ?? [];
  const since = counts.map(count => {
    const name = `${count.component}/${count.operation}`;
    const before = told.get(name);
    told.set(name, count);
    if (before === undefined) return count;
    return {
      ...count,
      requests: count.requests - before.requests,
      bytesWritten: count.bytesWritten - before.bytesWritten,
      bytesRead: count.bytesRead - before.bytesRead,
    };
  });
  if (since.length > 0) send({ kind: 'requests', counts: since });
}

function send(message: CompactionMessage): void {
  process.send?.(message);
}

const asks = new Asks();
let opened: Promise<Opened> | null = null;
let turn: Promise<void> = Promise.resolve();
process.on('message', (message: OpenStorage | CompactionJob | PruneJob | ComputedVectors) => {
  if ('open' in message) {
    opened = open(message);
    // Every job says why it cannot be done.
    opened.catch(() => {});
  } else if ('computed' in message) asks.settle(message);
  else turn = turn.then(() => runJob(opened!, message));
});
process.on('disconnect', () => process.exit(0));
