import type { FileSystem } from '../storage/index.ts';
import { FileIndex } from './file-index.ts';
import { FileReaders } from './file-readers.ts';
import { damaged, fileErrorCode } from './journal-errors.ts';
import { parseSeqName, seqName } from './names.ts';

export const LOG_SUFFIX = '.log';
/** How many indexes of complete files stay in memory; one is at most 16 MiB. */
const MAX_LOADED_INDEXES = 4;

export function logFileName(firstSeq: number): string {
  return seqName(firstSeq) + LOG_SUFFIX;
}

/** The first sequences of the journal files in a folder, ascending; none when there is no folder. */
export async function listLogFiles(fs: FileSystem, folder: string): Promise<number[]> {
  const firstSeqs: number[] = [];
  for (const { name } of await entriesOf(fs, folder)) {
    if (!name.endsWith(LOG_SUFFIX)) continue;
    const firstSeq = parseSeqName(name.slice(0, -LOG_SUFFIX.length));
    if (firstSeq !== null) firstSeqs.push(firstSeq);
  }
  return firstSeqs.sort((a, b) => a - b);
}

async function entriesOf(fs: FileSystem, folder: string): Promise<{ name: string }[]> {
  try {
    return await fs.readdir(folder);
  } catch (error) {
    if (fileErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The files of a journal by their first sequences. All but the last are complete; their indexes are loaded when asked for. */
export class LogFiles {
  readonly readers: FileReaders;
  #firstSeqs: number[];
  readonly #indexes = new Map<number, Promise<FileIndex>>();

  constructor(fs: FileSystem, folder: string, firstSeqs: readonly number[]) {
    this.readers = new FileReaders(fs, folder);
    this.#firstSeqs = [...firstSeqs];
  }

  get count(): number {
    return this.#firstSeqs.length;
  }

  get firstSeqs(): readonly number[] {
    return this.#firstSeqs;
  }

  /** A new last file; the index of the one before is kept while it is likely to be read. */
  add(firstSeq: number, previous: FileIndex | null): void {
    this.#firstSeqs.push(firstSeq);
    if (previous) this.#keepIndex(previous.firstSeq, Promise.resolve(previous));
  }

  replace(firstSeqs: readonly number[]): void {
    for (const firstSeq of this.#firstSeqs) if (!firstSeqs.includes(firstSeq)) this.forget(firstSeq);
    this.#firstSeqs = [...firstSeqs];
  }

  /** The files whose entries all lie below the floor; never the last file. */
  below(floor: number): number[] {
    return this.#firstSeqs.filter((_, at) => at + 1 < this.#firstSeqs.length && this.#firstSeqs[at + 1] <= floor);
  }

  forget(firstSeq: number): void {
    this.#firstSeqs = this.#firstSeqs.filter(other => other !== firstSeq);
    this.#indexes.delete(firstSeq);
    this.readers.drop(logFileName(firstSeq));
  }

  /** Reads an entry of a complete file, one before the last; null when it lies before the first file. */
  async readComplete(seq: number): Promise<Uint8Array | null> {
    const at = this.#fileOf(seq);
    if (at < 0) return null;
    const firstSeq = this.#firstSeqs[at];
    const index = await this.#completeIndex(firstSeq, this.#firstSeqs[at + 1]);
    return this.readers.use(index.name, file => index.read(file, seq));
  }

  #completeIndex(firstSeq: number, nextFirstSeq: number): Promise<FileIndex> {
    const known = this.#indexes.get(firstSeq);
    const index = known ?? this.#load(firstSeq, nextFirstSeq);
    this.#keepIndex(firstSeq, index);
    if (!known) index.catch(() => this.#indexes.delete(firstSeq));
    return index;
  }

  #keepIndex(firstSeq: number, index: Promise<FileIndex>): void {
    this.#indexes.delete(firstSeq);
    this.#indexes.set(firstSeq, index);
    if (this.#indexes.size > MAX_LOADED_INDEXES) this.#indexes.delete(this.#indexes.keys().next().value!);
  }

  #load(firstSeq: number, nextFirstSeq: number): Promise<FileIndex> {
    const name = logFileName(firstSeq);
    return this.readers.use(name, async file => {
      const index = await FileIndex.load(name, file);
      await index.extend(file);
      if (index.firstSeq !== firstSeq || index.nextSeq !== nextFirstSeq || index.end !== (await file.size())) {
        throw damaged(`${name} is readable up to entry ${index.nextSeq - 1} only, but the next file starts at ${nextFirstSeq}.`, {
          file: name,
          position: index.end,
        });
      }
      return index;
    });
  }

  /** The position of the file that would hold this entry; -1 when it lies before the first. */
  #fileOf(seq: number): number {
    let low = 0;
    let high = this.#firstSeqs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#firstSeqs[middle] <= seq) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
