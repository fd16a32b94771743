import type { CompactionContext, TableVersions } from '../lakehouse/index.ts';
import type { StreamDefinition } from '../streams/index.ts';
import type { CompactionOrder, CompactionRunner } from './compaction-process.ts';
import { runCompaction } from './run-compaction.ts';

/** Compacts in this process, one order after another: for tests, and where child processes are not wanted. */
export class InlineCompaction implements CompactionRunner {
  readonly #context: CompactionContext;
  readonly #onAdvanced: (incarnation: string) => void;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(context: CompactionContext, onAdvanced: (incarnation: string) => void) {
    this.#context = context;
    this.#onAdvanced = onAdvanced;
  }

  run(order: CompactionOrder): Promise<number | null> {
    const run = () => runCompaction(this.#context, order, () => this.#onAdvanced(order.definition.incarnation));
    const turn = this.#turn.catch(() => {}).then(run);
    this.#turn = turn;
    return turn;
  }

  prune(definition: StreamDefinition, keep: readonly TableVersions[]): Promise<void> {
    return this.#context.tables.prune(definition, keep);
  }

  async close(): Promise<void> {}
}
