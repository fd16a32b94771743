import type { Random } from '../../base/index.ts';
import { storageError } from '../file/fault.ts';
import type { FileSystem } from '../file-system.ts';
import { type CachedFile, CacheFolder, cacheHash } from './cache-folder.ts';

export interface ObjectCacheOptions {
  fs: FileSystem;
  random: Random;
  /** Created when needed; processes of one machine may share it. */
  folder: string;
  /** Of all files together; what is held and one eighth of it per further process come on top. */
  maxDiskBytes: number;
  /** Of objects that are kept in memory too. */
  maxMemoryBytes: number;
  /** Names this process among those that share the folder, such as its id. */
  owner: string;
  /** Whether such a process is gone. */
  isGone: (owner: string) => boolean;
}

/** After so much of the bound was written, the folder is looked at anew: other processes write there too. */
const RESCAN_SHARE = 8;
/** Objects above this share of the memory are kept on disk only. */
const MEMORY_SHARE = 8;
/** How far below its bound the folder is emptied. */
const EVICT_TO = 0.9;
const MAX_LINK_ATTEMPTS = 3;

/** Whole immutable objects, by key, in bounded memory and a bounded folder. Least recently used ones go first. */
export class ObjectCache {
  readonly #options: ObjectCacheOptions;
  readonly #folder: CacheFolder;
  readonly #holding: string;
  /** In the order of their last use, as far as this process knows. */
  readonly #files = new Map<string, CachedFile>();
  readonly #memory = new Map<string, Uint8Array>();
  readonly #held = new Map<string, { holders: number; ready: Promise<void> }>();
  /** Second names that are on their way out, by path. */
  readonly #unlinking = new Map<string, Promise<void>>();
  /** Files whose content this process has compared with their names. */
  readonly #verified = new Set<string>();
  readonly #writes = new Set<Promise<unknown>>();
  readonly #counts = { hits: 0, memoryHits: 0, misses: 0, added: 0, evictions: 0, failedWrites: 0 };
  #diskBytes = 0;
  #memoryBytes = 0;
  #unscannedBytes = 0;
  #scanning: Promise<void> | null = null;

  private constructor(options: ObjectCacheOptions, folder: CacheFolder, holding: string) {
    this.#options = options;
    this.#folder = folder;
    this.#holding = holding;
  }

  static async open(options: ObjectCacheOptions): Promise<ObjectCache> {
    const folder = new CacheFolder(options.fs, options.folder, options.random);
    try {
      await folder.sweep(options.isGone);
      const cache = new ObjectCache(options, folder, await folder.holdingFolder(options.owner));
      await cache.#scan();
      return cache;
    } catch (error) {
      throw storageError(error, `The cache folder ${options.folder} could not be opened`);
    }
  }

  /** Verified; null when it is not here. */
  async read(key: string): Promise<Uint8Array | null> {
    const hash = cacheHash(key);
    const kept = this.#memory.get(hash);
    if (kept !== undefined) {
      this.#remember(hash, kept);
      this.#counts.memoryHits++;
      this.#counts.hits++;
      return kept;
    }
    const file = await this.#find(hash);
    const content = file === null ? null : await this.#folder.read(file);
    if (content === null) this.#forget(hash);
    else this.#remember(hash, content);
    this.#counts[content === null ? 'misses' : 'hits']++;
    return content;
  }

  /** Of a whole object that is here, as its bytes are; not a miss when it is not. */
  async readRange(key: string, start: number, end: number): Promise<Uint8Array | null> {
    const hash = cacheHash(key);
    const kept = this.#memory.get(hash);
    if (kept !== undefined) return kept.subarray(start, Math.max(start, Math.min(end, kept.length)));
    const file = await this.#find(hash);
    return file === null ? null : this.#folder.readRange(file, start, end);
  }

  /** Resolves when it is in memory; the disk follows. What cannot be written is left out. */
  add(key: string, content: Uint8Array): void {
    const hash = cacheHash(key);
    this.#remember(hash, content);
    const write = this.#write(hash, content).catch(() => {
      this.#counts.failedWrites++;
    });
    this.#writes.add(write);
    void write.finally(() => this.#writes.delete(write));
  }

  /** Where `hold` puts the file of a key. */
  heldPath(key: string): string {
    return `${this.#holding}/${cacheHash(key)}`;
  }

  /**
   * Makes the object a file at `heldPath` until what is returned is called, however much is evicted meanwhile; `fetch` gives it when it is not
   * here, and its null is returned. TW_STORAGE_FULL.
   */
  async hold(key: string, fetch: () => Promise<Uint8Array | null>): Promise<(() => void) | null> {
    const path = this.heldPath(key);
    const before = this.#held.get(path);
    const held = before ?? { holders: 0, ready: this.#link(key, path, fetch) };
    held.holders++;
    this.#held.set(path, held);
    try {
      await held.ready;
    } catch (error) {
      this.#release(path, held);
      if (error === ABSENT) return null;
      throw error;
    }
    let released = false;
    return () => {
      if (!released) this.#release(path, held);
      released = true;
    };
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const hash = cacheHash(key);
      const file = this.#files.get(hash);
      this.#forget(hash);
      if (file !== undefined) await this.#folder.remove(file);
    }
  }

  stats(): Record<string, number> {
    return { ...this.#counts, diskBytes: this.#diskBytes, memoryBytes: this.#memoryBytes, files: this.#files.size };
  }

  /** What is being written is finished. */
  async close(): Promise<void> {
    await Promise.all(this.#writes);
    this.#memory.clear();
    this.#memoryBytes = 0;
  }

  async #link(key: string, path: string, fetch: () => Promise<Uint8Array | null>): Promise<void> {
    const hash = cacheHash(key);
    await this.#unlinking.get(path);
    for (let attempt = 1; ; attempt++) {
      const file = await this.#verifiedFile(hash);
      if (file !== null && (await this.#folder.link(file, path))) {
        this.#counts.hits++;
        return;
      }
      this.#counts.misses++;
      const content = await fetch();
      if (content === null) throw ABSENT;
      try {
        const written = await this.#write(hash, content);
        if (await this.#folder.link(written, path)) return;
      } catch (error) {
        throw storageError(error, `A file of a table could not be kept in ${this.#options.folder}`);
      }
      if (attempt === MAX_LINK_ATTEMPTS) throw storageError(new Error('evicted at once'), `${key} could not be kept`);
    }
  }

  /** Whoever reads the file itself is not told what is wrong with it: that is found out once, before. */
  async #verifiedFile(hash: string): Promise<CachedFile | null> {
    const file = await this.#find(hash);
    if (file === null || this.#verified.has(file.path)) return file;
    if ((await this.#folder.read(file)) === null) {
      this.#forget(hash);
      return null;
    }
    this.#verified.add(file.path);
    return file;
  }

  #release(path: string, held: { holders: number }): void {
    if (--held.holders > 0) return;
    this.#held.delete(path);
    const unlink = this.#folder.unlink(path).then(() => {
      this.#unlinking.delete(path);
      this.#writes.delete(unlink);
    });
    this.#unlinking.set(path, unlink);
    this.#writes.add(unlink);
  }

  async #find(hash: string): Promise<CachedFile | null> {
    const known = this.#files.get(hash) ?? (await this.#folder.find(hash));
    if (known !== null) this.#use(hash, known);
    return known;
  }

  async #write(hash: string, content: Uint8Array): Promise<CachedFile> {
    const file = await this.#folder.write(hash, content);
    this.#verified.add(file.path);
    this.#counts.added++;
    this.#unscannedBytes += file.bytes;
    this.#use(hash, file);
    await this.#evict();
    return file;
  }

  async #evict(): Promise<void> {
    const { maxDiskBytes } = this.#options;
    if (this.#unscannedBytes * RESCAN_SHARE > maxDiskBytes) await this.#scan();
    if (this.#diskBytes <= maxDiskBytes) return;
    for (const [hash, file] of this.#files) {
      if (this.#diskBytes <= maxDiskBytes * EVICT_TO) return;
      this.#forget(hash);
      this.#counts.evictions++;
      await this.#folder.remove(file);
    }
  }

  /** What is in the folder, in the order of use as far as it is known. */
  #scan(): Promise<void> {
    this.#scanning ??= this.#scanNow().finally(() => {
      this.#scanning = null;
    });
    return this.#scanning;
  }

  async #scanNow(): Promise<void> {
    this.#unscannedBytes = 0;
    this.#verified.clear();
    const present = new Map((await this.#folder.all()).map(({ hash, file }) => [hash, file]));
    const used = [...this.#files.keys()].filter(hash => present.has(hash));
    const unused = [...present.keys()].filter(hash => !this.#files.has(hash));
    this.#files.clear();
    for (const hash of [...unused, ...used]) this.#files.set(hash, present.get(hash)!);
    this.#diskBytes = [...present.values()].reduce((sum, file) => sum + file.bytes, 0);
  }

  #use(hash: string, file: CachedFile): void {
    const before = this.#files.get(hash);
    this.#files.delete(hash);
    this.#files.set(hash, file);
    this.#diskBytes += file.bytes - (before?.bytes ?? 0);
  }

  #forget(hash: string): void {
    const file = this.#files.get(hash);
    if (this.#files.delete(hash)) this.#diskBytes -= file!.bytes;
    if (file !== undefined) this.#verified.delete(file.path);
    const kept = this.#memory.get(hash);
    if (this.#memory.delete(hash)) this.#memoryBytes -= kept!.length;
  }

  #remember(hash: string, content: Uint8Array): void {
    const { maxMemoryBytes } = this.#options;
    if (content.length * MEMORY_SHARE > maxMemoryBytes) return;
    const before = this.#memory.get(hash);
    this.#memory.delete(hash);
    this.#memory.set(hash, content);
    this.#memoryBytes += content.length - (before?.length ?? 0);
    for (const [oldest, bytes] of this.#memory) {
      if (this.#memoryBytes <= maxMemoryBytes) return;
      this.#memory.delete(oldest);
      this.#memoryBytes -= bytes.length;
    }
  }
}

const ABSENT = new Error('absent');
