import { type Random, randomId, type TailwaterError } from '../base/index.ts';
import type { FileSystem, OpenFile } from '../storage/index.ts';
import { FileIndex, holdsLaterFrame } from './file-index.ts';
import { createDurably } from './folder-documents.ts';
import { encodeFileHeader, encodeFrame, encodeSeal, FRAME_HEADER_BYTES } from './frame.ts';
import { damaged, fileErrorCode, storageError } from './journal-errors.ts';
import { logFileName } from './log-files.ts';

/** A torn end that was cut off when the journal was opened. */
export interface TornFacts {
  file: string;
  position: number;
  bytes: number;
  /** The file that keeps the cut bytes; null when there was no space to keep them. */
  keptAs: string | null;
}

/** Frames up to this size are put together in a buffer that is kept. */
const KEPT_BUFFER_BYTES = 1024 * 1024;

/** The file that takes new frames: one writer, one write and one fdatasync per frame. */
export class ActiveFile {
  readonly index: FileIndex;
  readonly #fs: FileSystem;
  readonly #path: string;
  #file: OpenFile;
  #buffer = new Uint8Array(4096);

  private constructor(fs: FileSystem, path: string, file: OpenFile, index: FileIndex) {
    this.#fs = fs;
    this.#path = path;
    this.#file = file;
    this.index = index;
  }

  /** A new file; its name is durable when this returns. After a failure the name may have been left behind. */
  static async create(fs: FileSystem, folder: string, firstSeq: number, random: Random): Promise<ActiveFile> {
    await createDurably(fs, folder, logFileName(firstSeq), encodeFileHeader(firstSeq, random.bytes(8)), random);
    return ActiveFile.#load(fs, folder, firstSeq);
  }

  /**
   * Opens the last file of a journal: indexes it, cuts and keeps a torn end, and makes durable what it found before anyone sees it. Entries
   * up to `heldSeq` were acknowledged, because a checkpoint holds them: where they are missing, the end is not torn but lost.
   */
  static async open(
    fs: FileSystem,
    folder: string,
    firstSeq: number,
    heldSeq: number,
    random: Random,
    onTorn: (facts: TornFacts) => void,
  ): Promise<ActiveFile> {
    const active = await ActiveFile.#load(fs, folder, firstSeq);
    try {
      await active.index.extend(active.#file);
      if (active.index.nextSeq <= heldSeq) throw lostEnd(active.index, heldSeq);
      const rest = await active.#file.read(active.index.end, (await active.#file.size()) - active.index.end);
      if (rest.length > 0) await active.#cut(folder, rest, random, onTorn);
      await active.#persistEnd();
      return active;
    } catch (error) {
      await active.#file.close().catch(() => {});
      throw storageError(error, `Cannot open ${active.index.name}`);
    }
  }

  static async #load(fs: FileSystem, folder: string, firstSeq: number): Promise<ActiveFile> {
    const name = logFileName(firstSeq);
    const path = `${folder}/${name}`;
    const file = await fs.open(path, 'write');
    try {
      const index = await FileIndex.load(name, file);
      if (index.firstSeq !== firstSeq) throw damaged(`${name} says that it starts at ${index.firstSeq}.`, { file: name });
      return new ActiveFile(fs, path, file, index);
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
  }

  /** One frame, one write, one fdatasync. After a failure only `recover` may follow. */
  async append(seq: number, payload: Uint8Array): Promise<void> {
    const buffer = this.#bufferFor(FRAME_HEADER_BYTES + payload.length);
    const length = encodeFrame(buffer, this.index.seed, seq, payload);
    await this.#file.writeDurably(buffer.subarray(0, length), this.index.end);
    this.index.push(length);
  }

  /** Cuts back to the last acknowledged frame on a fresh descriptor: a sync that failed is never repeated on the old one. */
  async recover(): Promise<void> {
    await this.#file.close().catch(() => {});
    this.#file = await this.#fs.open(this.#path, 'write');
    await this.#file.truncate(this.index.end);
    await this.#file.datasync();
    const size = await this.#file.size();
    if (size !== this.index.end) throw damaged(`${this.index.name} has ${size} bytes, ${this.index.end} were acknowledged.`);
  }

  /** Marks a clean end, unless the file already ends with a mark. */
  async seal(): Promise<void> {
    if (this.index.sealed) return;
    await this.#file.writeDurably(encodeSeal(this.index.seed, this.index.nextSeq - 1), this.index.end);
    this.index.pushSeal();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /**
   * A frame may have been written but not synced by the process that died: it must not vanish after having been seen. A sync alone does not
   * do: where that process's own sync failed, the system may count the pages as clean although they never reached the disk. So the last
   * commit is written once more; every one before it was synced, or the journal would have cut it off.
   */
  async #persistEnd(): Promise<void> {
    const { lastStart, end } = this.index;
    if (end > lastStart) await this.#file.write(await this.#file.read(lastStart, end - lastStart), lastStart);
    await this.#file.datasync();
  }

  async #cut(folder: string, rest: Uint8Array, random: Random, onTorn: (facts: TornFacts) => void): Promise<void> {
    const { name, end } = this.index;
    if (holdsLaterFrame(rest, this.index)) {
      throw damaged(`Entry ${this.index.nextSeq} at byte ${end} of ${name} is damaged, and acknowledged data follows it.`, {
        file: name,
        position: end,
        seq: this.index.nextSeq,
      });
    }
    const keptAs = await keep(this.#fs, folder, `${name}.${randomId(random)}.torn`, rest, random);
    await this.#file.truncate(end);
    onTorn({ file: name, position: end, bytes: rest.length, keptAs });
  }

  #bufferFor(length: number): Uint8Array {
    if (length <= this.#buffer.length) return this.#buffer;
    const grown = new Uint8Array(Math.max(length, Math.min(this.#buffer.length * 2, KEPT_BUFFER_BYTES)));
    if (grown.length <= KEPT_BUFFER_BYTES) this.#buffer = grown;
    return grown;
  }
}

/** Keeps torn bytes for whoever wants to look at them; a full disk must not prevent the start that could free space. */
async function keep(fs: FileSystem, folder: string, name: string, bytes: Uint8Array, random: Random): Promise<string | null> {
  try {
    await createDurably(fs, folder, name, bytes, random);
    return name;
  } catch {
    return null;
  }
}

/** Takes a name away for good; no error when it is not there. */
export async function removeDurably(fs: FileSystem, folder: string, name: string): Promise<void> {
  try {
    await fs.unlink(`${folder}/${name}`);
  } catch (error) {
    if (fileErrorCode(error) !== 'ENOENT') throw error;
  }
  await fs.syncFolder(folder);
}

function lostEnd(index: FileIndex, heldSeq: number): TailwaterError {
  const { name, nextSeq } = index;
  return damaged(`${name} is readable up to entry ${nextSeq - 1} only, but entry ${heldSeq} was acknowledged.`, { file: name });
}
