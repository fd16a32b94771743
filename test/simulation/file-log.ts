import type { Random } from '../../src/base/index.ts';
import { type Checkpoint, type CreateOutcome, FileJournal, type Journal } from '../../src/journal/index.ts';
import type { FileSystem } from '../../src/storage/index.ts';
import type { Truth } from './truth.ts';
import { must } from './violation.ts';

const FOLDER = '/data/log/0';
/** A few segments each. */
const MAX_FILE_BYTES = 4_000;

/** The log of a folder. An entry is committed when its create says so, or when it is found after a crash. */
export class TruthJournal implements Journal {
  readonly #journal: FileJournal;
  readonly #truth: Truth;

  private constructor(journal: FileJournal, truth: Truth) {
    this.#journal = journal;
    this.#truth = truth;
  }

  static async open(fs: FileSystem, truth: Truth, random: Random): Promise<TruthJournal> {
    const journal = await FileJournal.open(fs, FOLDER, { random, maxFileBytes: MAX_FILE_BYTES });
    const opened = new TruthJournal(journal, truth);
    const floor = await journal.floor();
    // Whoever raised it may have died before it was told.
    truth.logFloor = Math.max(truth.logFloor, floor);
    for (let seq = floor; seq <= truth.head; seq++) {
      must((await opened.read(seq)) !== null, 'what was acknowledged survives every crash', () => ({ seq, head: truth.head }));
    }
    await opened.read(truth.head + 1);
    return opened;
  }

  async create(seq: number, bytes: Uint8Array): Promise<CreateOutcome> {
    const outcome = await this.#journal.create(seq, bytes);
    if (outcome.kind === 'ok') this.#truth.witness(() => this.#truth.commitSegment(seq, bytes));
    return outcome;
  }

  async read(seq: number): Promise<Uint8Array | null> {
    const bytes = await this.#journal.read(seq);
    if (bytes === null) return null;
    this.#truth.witness(() => {
      if (seq === this.#truth.head + 1) this.#truth.commitSegment(seq, bytes);
      else this.#truth.checkEntry(seq, bytes);
    });
    return bytes;
  }

  floor(): Promise<number> {
    return this.#journal.floor();
  }

  async raiseFloor(to: number): Promise<void> {
    await this.#journal.raiseFloor(to);
    this.#truth.logFloor = Math.max(this.#truth.logFloor, to);
  }

  collect(): Promise<void> {
    return this.#journal.collect();
  }

  latestCheckpoint(): Promise<Checkpoint | null> {
    return this.#journal.latestCheckpoint();
  }

  writeCheckpoint(checkpoint: Checkpoint): Promise<void> {
    return this.#journal.writeCheckpoint(checkpoint);
  }

  close(): Promise<void> {
    return this.#journal.close();
  }
}
