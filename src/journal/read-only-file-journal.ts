import { isTailwaterError, TailwaterError } from '../base/index.ts';
import type { FileSystem } from '../storage/index.ts';
import { FileIndex, holdsLaterFrame } from './file-index.ts';
import { FolderDocuments } from './folder-documents.ts';
import type { Checkpoint, CreateOutcome, Journal } from './journal.ts';
import { damaged, fileErrorCode, storageError } from './journal-errors.ts';
import { LogFiles, listLogFiles, logFileName } from './log-files.ts';
import { Serial } from './serial.ts';

/** How often a reader starts over because files were added or collected while it looked. */
const MAX_LOOKS = 8;

/** A journal folder as a process other than its owner sees it. An incomplete last frame is not found; what is deleted is below the floor. */
export class ReadOnlyFileJournal implements Journal {
  readonly #fs: FileSystem;
  readonly #folder: string;
  readonly #documents: FolderDocuments;
  readonly #files: LogFiles;
  readonly #looking = new Serial();
  /** The index of the last file known, which may still grow. */
  #last: FileIndex | null = null;

  private constructor(fs: FileSystem, folder: string) {
    this.#fs = fs;
    this.#folder = folder;
    this.#documents = new FolderDocuments(fs, folder);
    this.#files = new LogFiles(fs, folder, []);
  }

  static async open(fs: FileSystem, folder: string): Promise<Journal> {
    const journal = new ReadOnlyFileJournal(fs, folder);
    await journal.#looking.run(() => journal.#list());
    return journal;
  }

  read(seq: number): Promise<Uint8Array | null> {
    return this.#looking.run(async () => {
      for (let look = 1; ; look++) {
        try {
          return await this.#find(seq);
        } catch (error) {
          if (look === MAX_LOOKS) throw storageError(error, `Entry ${seq} was not read: the files of the journal keep changing`);
          await this.#lookAgain(seq, error);
        }
      }
    });
  }

  floor(): Promise<number> {
    return this.#documents.readFloor();
  }

  latestCheckpoint(): Promise<Checkpoint | null> {
    return this.#documents.latestCheckpoint();
  }

  async create(): Promise<CreateOutcome> {
    throw readOnly();
  }

  async raiseFloor(): Promise<void> {
    throw readOnly();
  }

  async collect(): Promise<void> {
    throw readOnly();
  }

  async writeCheckpoint(): Promise<void> {
    throw readOnly();
  }

  async close(): Promise<void> {
    this.#files.readers.close();
  }

  async #find(seq: number): Promise<Uint8Array | null> {
    if (this.#last === null || seq >= this.#last.nextSeq) await this.#lookFurther();
    const last = this.#last;
    if (last === null || seq >= last.nextSeq) return null;
    if (seq >= last.firstSeq) return this.#files.readers.use(last.name, file => last.read(file, seq));
    return this.#files.readComplete(seq);
  }

  /** Indexes what was appended; follows the owner to its newest file. */
  async #lookFurther(): Promise<void> {
    await this.#extend();
    // An empty file may have been taken back by its owner and made anew under the same name: open it again.
    if (this.#last !== null && this.#last.nextSeq === this.#last.firstSeq) this.#forgetLast(this.#last.name);
    const newest = (await listLogFiles(this.#fs, this.#folder)).at(-1);
    if (newest === undefined || newest === this.#last?.firstSeq) return;
    await this.#list();
    await this.#extend();
  }

  /** Prepares another look where the owner's work explains the error; throws it where nothing does. */
  async #lookAgain(seq: number, error: unknown): Promise<void> {
    if (fileErrorCode(error) === 'ENOENT') return this.#list();
    // Only the very last frame may have been cut back by its owner since it was indexed.
    if (isTailwaterError(error, 'TW_DATA_DAMAGED') && this.#last !== null && seq === this.#last.nextSeq - 1)
      return this.#last.rewind();
    throw storageError(error, `Cannot read entry ${seq}`);
  }

  async #extend(): Promise<void> {
    const last = this.#last;
    if (last === null) return;
    await this.#files.readers.use(last.name, async file => {
      const before = last.end;
      await last.extend(file);
      const size = await file.size();
      if (last.end !== before || size === before) return;
      // The owner may have cut its last frame back after a failed sync, and written another in its place.
      last.rewind();
      await last.extend(file);
      const end = last.end;
      if (!holdsLaterFrame(await file.read(end, Math.max(0, size - end)), last)) return;
      // What follows was written after the broken frame was acknowledged, unless that has only now become whole.
      await last.extend(file);
      if (last.end === end)
        throw damaged(`Entry ${last.nextSeq} at byte ${end} of ${last.name} is damaged.`, { file: last.name });
    });
  }

  #forgetLast(name: string): void {
    this.#files.readers.drop(name);
    this.#last = null;
  }

  async #list(): Promise<void> {
    const firstSeqs = await listLogFiles(this.#fs, this.#folder);
    this.#files.replace(firstSeqs);
    const newest = firstSeqs.at(-1);
    if (newest === undefined) {
      this.#last = null;
    } else if (this.#last?.firstSeq !== newest) {
      const name = logFileName(newest);
      this.#last = await this.#files.readers.use(name, file => FileIndex.load(name, file));
    }
  }
}

function readOnly(): TailwaterError {
  return new TailwaterError('TW_INTERNAL', { detail: 'This journal was opened for reading only.' });
}
