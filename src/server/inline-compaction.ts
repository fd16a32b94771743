import type { CompactionContext, TableVersions } from '../lakehouse/index.ts';
import type { StreamDefinition } from '../streams/index.ts';
import type { CompactionOrder, CompactionRunner } from './compaction-process.ts';
import { runCompaction } from './run-compaction.ts';

/** Compacts in this process: for tests, and where child processes are not wanted. */
export class InlineCompaction implements CompactionRunner {
  readonly #context: CompactionContext;
  readonly #onAdvanced: (incarnation: string) => void;

  constructor(context: CompactionContext, onAdvanced: (incarnation: string) => void) {
    this.#context = context;
    this.#onAdvanced = onAdvanced;
  }

  run(order: CompactionOrder): Promise<void> {
    return runCompaction(this.#context, order, () => this.#onAdvanced(order.definition.incarnation));
  }

  prune(definition: StreamDefinition, keep: readonly TableVersions[]): Promise<void> {
    return this.#context.tables.prune(definition, keep);
  }

  async close(): Promise<void> {}
}
