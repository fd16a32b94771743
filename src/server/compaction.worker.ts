import { asTailwaterError, silentLogger, systemClock, systemRandom, TailwaterError } from '../base/index.ts';
import type { CompactionContext, VectorAnswer, VectorRequest } from '../lakehouse/index.ts';
import { Embedders } from '../snapshot/index.ts';
import { LogReader, type StreamDefinition } from '../streams/index.ts';
import type { CompactionJob, CompactionMessage, ComputedVectors, PruneJob } from './compaction-protocol.ts';
import { joinDataFolder } from './data-folder.ts';
import { runCompaction } from './run-compaction.ts';

/** The compaction process of a node: takes jobs over IPC, one after another, and ends when the node does. */
async function open(dataDir: string, threads: number): Promise<CompactionContext> {
  const folder = await joinDataFolder(dataDir, systemRandom, threads);
  const embedders = new Embedders({ store: folder.store, clock: systemClock, random: systemRandom, secrets: {} });
  return {
    store: folder.store,
    tables: folder.tables,
    log: new LogReader(folder.journal),
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    vectorsFor: embedders.vectorsFor.bind(embedders),
    computedVectorsFor: (definition, rows) => asks.ask(definition, rows),
  };
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

async function runJob(context: CompactionContext, job: CompactionJob | PruneJob): Promise<void> {
  const { incarnation } = job.definition;
  try {
    if ('keep' in job) await context.tables.prune(job.definition, job.keep);
    else await runCompaction(context, job, () => send({ kind: 'advanced', incarnation }));
    send({ kind: 'done', id: job.id });
  } catch (error) {
    send({ kind: 'failed', id: job.id, problem: asTailwaterError(error).toProblem() });
  }
}

function send(message: CompactionMessage): void {
  process.send?.(message);
}

const asks = new Asks();
const context = open(process.argv[2], Number(process.argv[3]));
let turn: Promise<void> = Promise.resolve();
process.on('message', (message: CompactionJob | PruneJob | ComputedVectors) => {
  if ('computed' in message) asks.settle(message);
  else turn = turn.then(async () => runJob(await context, message));
});
process.on('disconnect', () => process.exit(0));
