import { asTailwaterError, silentLogger, systemClock, systemRandom } from '../base/index.ts';
import type { CompactionContext } from '../lakehouse/index.ts';
import { Embedders } from '../snapshot/index.ts';
import { LogReader } from '../streams/index.ts';
import type { CompactionJob, CompactionMessage, PruneJob } from './compaction-protocol.ts';
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
  };
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

/** The compaction process of a node: takes jobs over IPC, one after another, and ends when the node does. */
const context = open(process.argv[2], Number(process.argv[3]));
let turn: Promise<void> = Promise.resolve();
process.on('message', (job: CompactionJob | PruneJob) => {
  turn = turn.then(async () => runJob(await context, job));
});
process.on('disconnect', () => process.exit(0));
