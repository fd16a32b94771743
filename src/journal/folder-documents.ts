import { BinaryReader, BinaryWriter, crc32c, type Random, randomId, TailwaterError } from '../base/index.ts';
import type { FileSystem } from '../storage/index.ts';
import type { Checkpoint } from './journal.ts';
import { damaged, fileErrorCode, storageError } from './journal-errors.ts';
import { parseSeqName, seqName } from './names.ts';

const FORMAT_VERSION = 1;
const MAGIC = 0x54574a44;
const HEADER_BYTES = 12;
const FLOOR = 'floor';
const CHECKPOINT_PREFIX = 'checkpoint-';
export const TEMPORARY_PREFIX = 'tmp-';

/**
 * The small files beside a journal's frames: the floor and the newest checkpoint. Each is replaced whole: written under a temporary
 * name, synced, renamed, and the folder synced.
 *
 *     document := magic 'TWJD' u32 | format version u16 | 0 u16 | crc32c of the content u32 | content
 */
export class FolderDocuments {
  readonly #fs: FileSystem;
  readonly #folder: string;

  constructor(fs: FileSystem, folder: string) {
    this.#fs = fs;
    this.#folder = folder;
  }

  async readFloor(): Promise<number> {
    const content = await this.#read(FLOOR);
    return content === null ? 1 : new BinaryReader(content).i64();
  }

  async writeFloor(floor: number, random: Random): Promise<void> {
    const writer = new BinaryWriter(8);
    writer.i64(floor);
    await this.#write(FLOOR, writer.finish(), random);
  }

  async latestCheckpoint(): Promise<Checkpoint | null> {
    for (;;) {
      const seq = (await this.#checkpointSeqs()).at(-1);
      if (seq === undefined) return null;
      const bytes = await this.#read(CHECKPOINT_PREFIX + seqName(seq));
      // Gone since the listing: a newer one replaced it.
      if (bytes !== null) return { seq, bytes };
    }
  }

  /** Keeps only this checkpoint and newer ones. */
  async writeCheckpoint(checkpoint: Checkpoint, random: Random): Promise<void> {
    const present = await this.#checkpointSeqs();
    if (present.some(seq => seq >= checkpoint.seq)) return;
    await this.#write(CHECKPOINT_PREFIX + seqName(checkpoint.seq), checkpoint.bytes, random);
    for (const seq of present) await this.#remove(CHECKPOINT_PREFIX + seqName(seq));
  }

  async #remove(name: string): Promise<void> {
    try {
      await this.#fs.unlink(this.#path(name));
    } catch (error) {
      throw storageError(error, `Cannot remove ${name}`);
    }
  }

  async #checkpointSeqs(): Promise<number[]> {
    const seqs: number[] = [];
    for (const { name } of await this.#fs.readdir(this.#folder)) {
      if (!name.startsWith(CHECKPOINT_PREFIX)) continue;
      const seq = parseSeqName(name.slice(CHECKPOINT_PREFIX.length));
      if (seq !== null) seqs.push(seq);
    }
    return seqs.sort((a, b) => a - b);
  }

  async #read(name: string): Promise<Uint8Array | null> {
    let bytes: Uint8Array;
    try {
      bytes = await this.#fs.readFile(this.#path(name));
    } catch (error) {
      if (fileErrorCode(error) === 'ENOENT') return null;
      throw storageError(error, `Cannot read ${name}`);
    }
    const reader = new BinaryReader(bytes);
    if (bytes.length < HEADER_BYTES || reader.u32() !== MAGIC)
      throw damaged(`${name} is not a journal document.`, { file: name });
    const version = reader.u16();
    if (version > FORMAT_VERSION)
      throw new TailwaterError('TW_FORMAT_TOO_NEW', { detail: `${name} has document format ${version}.` });
    reader.u16();
    const checksum = reader.u32();
    const content = bytes.subarray(HEADER_BYTES);
    if (crc32c(content) !== checksum) throw damaged(`${name} fails its checksum.`, { file: name });
    return content;
  }

  async #write(name: string, content: Uint8Array, random: Random): Promise<void> {
    const writer = new BinaryWriter(HEADER_BYTES + content.length);
    writer.u32(MAGIC);
    writer.u16(FORMAT_VERSION);
    writer.u16(0);
    writer.u32(crc32c(content));
    writer.raw(content);
    await createDurably(this.#fs, this.#folder, name, writer.finish(), random);
  }

  #path(name: string): string {
    return `${this.#folder}/${name}`;
  }
}

/** Makes a file appear whole and durable under its name, replacing what was there. The name is durable when this returns. */
export async function createDurably(
  fs: FileSystem,
  folder: string,
  name: string,
  bytes: Uint8Array,
  random: Random,
): Promise<void> {
  const temporary = `${folder}/${TEMPORARY_PREFIX}${randomId(random)}`;
  try {
    const file = await fs.open(temporary, 'create');
    try {
      await file.write(bytes, 0);
      await file.datasync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, `${folder}/${name}`);
  } catch (error) {
    await fs.unlink(temporary).catch(() => {});
    throw storageError(error, `Cannot write ${name}`);
  }
  try {
    await fs.syncFolder(folder);
  } catch (error) {
    throw storageError(error, `Cannot make ${name} durable`);
  }
}
