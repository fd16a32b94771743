import { type Random, systemRandom, TailwaterError } from '../base/index.ts';
import { type FileSystem, makeFolderDurably } from '../storage/index.ts';
import { ActiveFile, removeDurably, type TornFacts } from './active-file.ts';
import { FolderDocuments, TEMPORARY_PREFIX } from './folder-documents.ts';
import { FILE_HEADER_BYTES, FRAME_HEADER_BYTES, MAX_PAYLOAD_BYTES } from './frame.ts';
import type { Checkpoint, CreateOutcome, Journal } from './journal.ts';
import { damaged, fileErrorCode, floorNeedsCheckpoint, storageError } from './journal-errors.ts';
import { LogFiles, listLogFiles, logFileName } from './log-files.ts';
import { ReadOnlyFileJournal } from './read-only-file-journal.ts';
import { Serial } from './serial.ts';

export interface FileJournalOptions {
  /** A file that has reached this size takes no more frames. Default 64 MiB. */
  maxFileBytes?: number;
  random?: Random;
  /** Told when opening cut a torn end off. */
  onTorn?: (facts: TornFacts) => void;
}

const DEFAULT_MAX_FILE_BYTES = 64 * 1024 * 1024;
/** The active file is left for a new one when nothing needs it and it has at least this share of the bytes that it may have. */
const SPENT_SHARE = 1 / 64;

/**
 * A journal in a folder of append-only files of checksummed frames (design J7). The caller owns the folder exclusively and holds its
 * lock. One create is one write and one fdatasync, never two in flight.
 *
 * After a failed write or sync the file is cut back to its last acknowledged length on a fresh descriptor. Where that works, the
 * entry was certainly not written (TW_STORAGE_FULL or TW_STORAGE_UNAVAILABLE) and later entries are accepted; where it does not, the
 * entry's outcome is `unknown` and every later create is TW_SHARD_STOPPED until the journal is opened anew.
 */
export class FileJournal implements Journal {
  readonly #fs: FileSystem;
  readonly #folder: string;
  readonly #random: Random;
  readonly #maxFileBytes: number;
  readonly #documents: FolderDocuments;
  readonly #files: LogFiles;
  readonly #commits = new Serial();
  readonly #housekeeping = new Serial();
  #active: ActiveFile;
  #floor: number;
  #state: 'open' | 'stopped' | 'closed' = 'open';
  #stoppedBy: unknown;
  #bytesWritten = 0;
  #rotations = 0;
  #recoveries = 0;

  private constructor(
    fs: FileSystem,
    folder: string,
    random: Random,
    maxFileBytes: number,
    files: LogFiles,
    active: ActiveFile,
    floor: number,
  ) {
    this.#fs = fs;
    this.#folder = folder;
    this.#random = random;
    this.#maxFileBytes = maxFileBytes;
    this.#documents = new FolderDocuments(fs, folder);
    this.#files = files;
    this.#active = active;
    this.#floor = floor;
  }

  /** Opens or creates the journal. Throws TW_DATA_DAMAGED or TW_FORMAT_TOO_NEW, and never skips what it cannot read. */
  static async open(fs: FileSystem, folder: string, options: FileJournalOptions = {}): Promise<FileJournal> {
    const random = options.random ?? systemRandom;
    await makeFolderDurably(fs, folder);
    await removeTemporaries(fs, folder);
    const documents = new FolderDocuments(fs, folder);
    const floor = await documents.readFloor();
    const heldSeq = (await documents.latestCheckpoint())?.seq ?? 0;
    const firstSeqs = await requireWholeRange(fs, folder, floor);
    const last = firstSeqs.at(-1);
    if (last === undefined && heldSeq > 0) throw damaged(`${folder} has lost its files; entry ${heldSeq} was acknowledged.`);
    const active =
      last === undefined
        ? await ActiveFile.create(fs, folder, 1, random)
        : await ActiveFile.open(fs, folder, last, heldSeq, random, options.onTorn ?? (() => {}));
    // The process before may have died between naming a file and making the name durable.
    await fs.syncFolder(folder);
    const files = new LogFiles(fs, folder, last === undefined ? [1] : firstSeqs);
    return new FileJournal(fs, folder, random, options.maxFileBytes ?? DEFAULT_MAX_FILE_BYTES, files, active, floor);
  }

  /**
   * For another process than the owner: reads what the owner appends, also after this call; everything that writes throws. A frame
   * may be seen moments before its sync has finished.
   */
  static openReadOnly(fs: FileSystem, folder: string): Promise<Journal> {
    return ReadOnlyFileJournal.open(fs, folder);
  }

  create(seq: number, bytes: Uint8Array): Promise<CreateOutcome> {
    return this.#commits.run(() => this.#create(seq, bytes));
  }

  async read(seq: number): Promise<Uint8Array | null> {
    if (this.#state === 'closed') throw closed();
    const active = this.#active;
    if (seq >= active.index.nextSeq) return null;
    try {
      if (seq >= active.index.firstSeq) {
        return await this.#files.readers.use(active.index.name, file => active.index.read(file, seq));
      }
      return await this.#files.readComplete(seq);
    } catch (error) {
      // Collected while it was being read.
      if (fileErrorCode(error) === 'ENOENT' && seq < this.#floor) return null;
      throw storageError(error, `Cannot read entry ${seq}`);
    }
  }

  async floor(): Promise<number> {
    return this.#floor;
  }

  raiseFloor(to: number): Promise<void> {
    return this.#housekeeping.run(async () => {
      this.#requireOpen();
      if (to <= this.#floor) return;
      const newest = (await this.#documents.latestCheckpoint())?.seq ?? 0;
      if (newest < to - 1) throw floorNeedsCheckpoint(to, newest);
      await this.#documents.writeFloor(to, this.#random);
      this.#floor = to;
    });
  }

  /** Also of the active file, once all of it is below the floor: a new one takes its place. */
  collect(): Promise<void> {
    return this.#housekeeping.run(async () => {
      this.#requireOpen();
      await this.#deleteGarbage();
      if (await this.#commits.run(() => this.#leaveSpent())) await this.#deleteGarbage();
    });
  }

  latestCheckpoint(): Promise<Checkpoint | null> {
    return this.#documents.latestCheckpoint();
  }

  writeCheckpoint(checkpoint: Checkpoint): Promise<void> {
    return this.#housekeeping.run(async () => {
      this.#requireOpen();
      await this.#documents.writeCheckpoint(checkpoint, this.#random);
    });
  }

  async close(): Promise<void> {
    await this.#housekeeping.run(async () => {});
    await this.#commits.run(async () => {
      const state = this.#state;
      this.#state = 'closed';
      if (state === 'closed') return;
      // A seal that cannot be written is no loss: the next start looks at the end of the file itself.
      if (state === 'open') await this.#active.seal().catch(() => {});
      await this.#active.close().catch(() => {});
      this.#files.readers.close();
    });
  }

  stats(): Record<string, number> {
    return {
      entries: this.#active.index.nextSeq - 1,
      floor: this.#floor,
      files: this.#files.count,
      activeFileBytes: this.#active.index.end,
      bytesWritten: this.#bytesWritten,
      rotations: this.#rotations,
      recoveries: this.#recoveries,
      stopped: this.#state === 'stopped' ? 1 : 0,
    };
  }

  async #create(seq: number, bytes: Uint8Array): Promise<CreateOutcome> {
    this.#requireOpen();
    if (seq < this.#floor) return { kind: 'below-floor', floor: this.#floor };
    const { nextSeq } = this.#active.index;
    if (seq < nextSeq) return { kind: 'exists' };
    requireNext(seq, nextSeq, bytes.length);
    const frameBytes = FRAME_HEADER_BYTES + bytes.length;
    if (this.#active.index.end > FILE_HEADER_BYTES && this.#active.index.end + frameBytes > this.#maxFileBytes)
      await this.#rotate();
    try {
      await this.#active.append(seq, bytes);
    } catch (error) {
      return this.#recover(seq, error);
    }
    this.#bytesWritten += frameBytes;
    return { kind: 'ok' };
  }

  /** Makes a new file the active one. A failure leaves the old one active: nothing was written. */
  async #rotate(): Promise<void> {
    const { index } = this.#active;
    let next: ActiveFile;
    try {
      next = await ActiveFile.create(this.#fs, this.#folder, index.nextSeq, this.#random);
    } catch (error) {
      // Entries must not go on in the old file while a newer name may exist.
      await removeDurably(this.#fs, this.#folder, logFileName(index.nextSeq)).catch(cause => this.#stop(cause));
      throw storageError(error, 'Cannot start a new journal file');
    }
    await this.#active.close().catch(() => {});
    this.#active = next;
    this.#files.add(next.index.firstSeq, index);
    this.#rotations++;
  }

  async #deleteGarbage(): Promise<void> {
    const garbage = this.#files.below(this.#floor);
    try {
      for (const firstSeq of garbage) {
        this.#files.forget(firstSeq);
        await this.#fs.unlink(`${this.#folder}/${logFileName(firstSeq)}`);
      }
      if (garbage.length > 0) await this.#fs.syncFolder(this.#folder);
    } catch (error) {
      throw storageError(error, 'Cannot delete a journal file');
    }
  }

  async #leaveSpent(): Promise<boolean> {
    this.#requireOpen();
    const { end, firstSeq, nextSeq } = this.#active.index;
    // A file without entries, which may hold seals, has the name that the new one would have.
    if (nextSeq === firstSeq || this.#floor < nextSeq || end < this.#maxFileBytes * SPENT_SHARE) return false;
    await this.#rotate();
    return true;
  }

  async #recover(seq: number, cause: unknown): Promise<CreateOutcome> {
    try {
      await this.#active.recover();
    } catch (error) {
      this.#stop(error);
      return { kind: 'unknown', cause };
    }
    this.#recoveries++;
    throw storageError(cause, `Cannot write entry ${seq}; it was not written`);
  }

  #stop(cause: unknown): void {
    this.#state = 'stopped';
    this.#stoppedBy = cause;
  }

  #requireOpen(): void {
    if (this.#state === 'closed') throw closed();
    if (this.#state === 'stopped') {
      throw new TailwaterError('TW_SHARD_STOPPED', {
        detail: 'The end of the journal could not be restored after a failed write.',
        cause: this.#stoppedBy,
      });
    }
  }
}

function closed(): TailwaterError {
  return new TailwaterError('TW_CLOSED', { detail: 'The journal is closed.' });
}

function requireNext(seq: number, nextSeq: number, length: number): void {
  if (seq > nextSeq)
    throw new TailwaterError('TW_INTERNAL', { detail: `Entry ${seq} would leave a gap: the next is ${nextSeq}.` });
  if (length > MAX_PAYLOAD_BYTES) {
    throw new TailwaterError('TW_INTERNAL', { detail: `An entry of ${length} bytes is larger than ${MAX_PAYLOAD_BYTES}.` });
  }
}

async function removeTemporaries(fs: FileSystem, folder: string): Promise<void> {
  for (const { name } of await fs.readdir(folder)) {
    if (name.startsWith(TEMPORARY_PREFIX)) await fs.unlink(`${folder}/${name}`);
  }
}

/** The files from the one that holds the floor on; older ones are what an interrupted collection left, and are removed. */
async function requireWholeRange(fs: FileSystem, folder: string, floor: number): Promise<number[]> {
  const firstSeqs = await listLogFiles(fs, folder);
  const start = firstSeqs.findLastIndex(firstSeq => firstSeq <= floor);
  if (start < 0 && (firstSeqs.length > 0 || floor > 1)) {
    throw damaged(`The journal file that holds entry ${floor} is missing.`, { floor, files: firstSeqs.length });
  }
  for (const firstSeq of firstSeqs.slice(0, Math.max(0, start))) await fs.unlink(`${folder}/${logFileName(firstSeq)}`);
  return firstSeqs.slice(Math.max(0, start));
}
