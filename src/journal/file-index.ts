import type { OpenFile } from '../storage/index.ts';
import {
  decodeFileHeader,
  FILE_HEADER_BYTES,
  type FileHeader,
  FRAME_HEADER_BYTES,
  frameIsValid,
  framePayload,
  peekFrame,
} from './frame.ts';
import { damaged } from './journal-errors.ts';

/** How much is read at a time while indexing. */
const WINDOW_BYTES = 1024 * 1024;

/** A moving piece of a file that is read from front to back. */
class Window {
  readonly #file: OpenFile;
  readonly #size: number;
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;

  constructor(file: OpenFile, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /** Brings [position, position + length) into the window; false when the file ends before. */
  async holds(position: number, length: number): Promise<boolean> {
    if (position + length > this.#size) return false;
    if (position >= this.start && position + length <= this.start + this.bytes.length) return true;
    this.bytes = await this.#file.read(position, Math.min(this.#size - position, Math.max(WINDOW_BYTES, length)));
    this.start = position;
    return this.bytes.length >= length;
  }
}

/** Where each entry of one journal file lies: four bytes an entry. Grows with the file. */
export class FileIndex {
  readonly name: string;
  readonly firstSeq: number;
  readonly seed: number;
  #starts = new Uint32Array(256);
  #count = 0;
  #end = FILE_HEADER_BYTES;
  #sealed = false;

  constructor(name: string, header: FileHeader) {
    this.name = name;
    this.firstSeq = header.firstSeq;
    this.seed = header.seed;
  }

  /** Reads and checks the header; no entries yet. */
  static async load(name: string, file: OpenFile): Promise<FileIndex> {
    return new FileIndex(name, decodeFileHeader(await file.read(0, FILE_HEADER_BYTES), name));
  }

  /** The sequence the next frame will have. */
  get nextSeq(): number {
    return this.firstSeq + this.#count;
  }

  /** Bytes up to the end of the last valid frame or seal. */
  get end(): number {
    return this.#end;
  }

  /** Where the last entry begins, and with it what one commit and its seal wrote; the end of the header while there is none. */
  get lastStart(): number {
    return this.#count === 0 ? FILE_HEADER_BYTES : this.#starts[this.#count - 1];
  }

  /** True when a seal is the last thing before `end`. */
  get sealed(): boolean {
    return this.#sealed;
  }

  /** Notes the next entry, of this many bytes with its frame. */
  push(frameBytes: number): void {
    if (this.#count === this.#starts.length) {
      const grown = new Uint32Array(this.#starts.length * 2);
      grown.set(this.#starts);
      this.#starts = grown;
    }
    this.#starts[this.#count++] = this.#end;
    this.#end += frameBytes;
    this.#sealed = false;
  }

  pushSeal(): void {
    this.#end += FRAME_HEADER_BYTES;
    this.#sealed = true;
  }

  /** Forgets the last entry, so that `extend` looks at it again. */
  rewind(): void {
    if (this.#count === 0) return;
    this.#end = this.#starts[--this.#count];
    this.#sealed = false;
  }

  /** Indexes the valid frames between `end` and the file's present size; stops before the first that is incomplete or damaged. */
  async extend(file: OpenFile): Promise<void> {
    const window = new Window(file, await file.size());
    for (;;) {
      if (!(await window.holds(this.#end, FRAME_HEADER_BYTES))) return;
      const header = peekFrame(window.bytes, this.#end - window.start);
      if (header === null || !this.#isNext(header)) return;
      const frameBytes = FRAME_HEADER_BYTES + header.length;
      if (!(await window.holds(this.#end, frameBytes))) return;
      if (!frameIsValid(window.bytes, this.#end - window.start, header, this.seed)) return;
      if (header.seal) this.pushSeal();
      else this.push(frameBytes);
    }
  }

  /** Reads one entry of this file and verifies it. */
  async read(file: OpenFile, seq: number): Promise<Uint8Array> {
    const at = this.#starts[seq - this.firstSeq];
    const next = seq + 1 < this.nextSeq ? this.#starts[seq + 1 - this.firstSeq] : this.#end;
    const bytes = await file.read(at, next - at);
    const header = peekFrame(bytes, 0);
    if (header === null || header.seal || header.seq !== seq || !frameIsValid(bytes, 0, header, this.seed)) {
      throw damaged(`Entry ${seq} at byte ${at} of ${this.name} fails its checksum.`, { file: this.name, position: at, seq });
    }
    return framePayload(bytes, 0, header);
  }

  #isNext(header: { seal: boolean; seq: number }): boolean {
    return header.seq === (header.seal ? this.nextSeq - 1 : this.nextSeq);
  }
}

/**
 * Looks for a whole frame or seal that follows the broken one at the start of `rest`. Only one commit is ever in flight, so anything
 * valid behind a broken frame proves that the broken one had been acknowledged: damage, not a torn end.
 */
export function holdsLaterFrame(rest: Uint8Array, index: FileIndex): boolean {
  const highest = index.nextSeq + Math.ceil(rest.length / FRAME_HEADER_BYTES);
  for (let at = 1; at + FRAME_HEADER_BYTES <= rest.length; at++) {
    const header = peekFrame(rest, at);
    if (header === null || header.seq < index.nextSeq || header.seq > highest) continue;
    if (frameIsValid(rest, at, header, index.seed)) return true;
  }
  return false;
}
