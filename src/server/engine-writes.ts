import type { Clock } from '../base/index.ts';
import type { Appender } from '../ingest/index.ts';
import type { Consistency, Pinned, Scanner } from '../snapshot/index.ts';
import type { StreamDefinition } from '../streams/index.ts';
import { Documents } from './documents/documents.ts';
import { Steps } from './steps/steps.ts';

export interface WholeWritesOptions {
  /** TW_STREAM_NOT_FOUND. */
  definition(name: string): StreamDefinition;
  /** As `definition`, also of a stream that another node has just created. */
  find(name: string): Promise<StreamDefinition>;
  pin(definition: StreamDefinition, consistency?: Consistency): Promise<Pinned>;
  /** Throws when the stream takes no writes now. */
  admit(definition: StreamDefinition): Promise<void>;
  appender: Appender;
  scanner: Scanner;
  clock: Clock;
}

/** What is decided on one instant and written as one segment. */
export function wholeWrites(options: WholeWritesOptions): { documents: Documents; steps: Steps } {
  const { definition, find, pin, admit, appender, scanner, clock } = options;
  const documents = new Documents({
    definition,
    pin,
    append: async (stream, records, guard) => {
      await admit(stream);
      return appender.appendWhole([{ definition: stream, records }], { guard });
    },
    scanner,
    clock,
  });
  const steps = new Steps({
    find,
    positions: () => appender.positions(),
    pin,
    append: async (writes, how) => {
      for (const write of writes) await admit(write.definition);
      return appender.appendWhole(writes, how);
    },
    clock,
  });
  return { documents, steps };
}
