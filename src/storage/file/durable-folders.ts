import { dirname } from 'node:path';
import type { FileSystem } from '../file-system.ts';
import { makeFolderDurably } from './make-folder.ts';

/** Folders remembered as made and durable; forgetting costs only a few more calls. */
const MAX_REMEMBERED = 10_000;

interface SyncState {
  running: Promise<void>;
  /** Asked for while one was running: it must start afterwards to cover what they did. */
  next: Promise<void> | null;
}

/** Makes folders, and makes names in them durable. Callers that wait for the same folder share one fsync. */
export class DurableFolders {
  readonly #fs: FileSystem;
  readonly #root: string;
  readonly #ready = new Map<string, Promise<void>>();
  readonly #syncs = new Map<string, SyncState>();
  /** Folders whose last sync failed: what is seen in them may not survive a crash. */
  readonly #doubtful = new Set<string>();

  constructor(fs: FileSystem, root: string) {
    this.#fs = fs;
    this.#root = root;
  }

  /** The folder (the root or below it) exists, and so it will after a crash. */
  ensure(folder: string): Promise<void> {
    const known = this.#ready.get(folder);
    if (known !== undefined) return known;
    if (this.#ready.size >= MAX_REMEMBERED) this.#ready.clear();
    const made = this.#make(folder);
    this.#ready.set(folder, made);
    made.catch(() => this.#ready.delete(folder));
    return made;
  }

  /** The folder may be gone: the next `ensure` looks again. */
  forget(folder: string): void {
    this.#ready.delete(folder);
  }

  /** Everything linked, renamed or removed in the folder before this call is durable when it resolves. */
  sync(folder: string): Promise<void> {
    const state = this.#syncs.get(folder);
    if (state === undefined) return this.#start(folder);
    state.next ??= state.running.then(
      () => this.#start(folder),
      () => this.#start(folder),
    );
    return state.next;
  }

  /** Before trusting what is read: where an earlier sync failed, it must succeed first. */
  async settle(folder: string): Promise<void> {
    if (this.#doubtful.has(folder)) await this.sync(folder);
  }

  #start(folder: string): Promise<void> {
    const running = this.#fs.syncFolder(folder);
    const state: SyncState = { running, next: null };
    this.#syncs.set(folder, state);
    const finish = (failed: boolean): void => {
      if (failed) this.#doubtful.add(folder);
      else this.#doubtful.delete(folder);
      if (state.next === null) this.#syncs.delete(folder);
    };
    running.then(
      () => finish(false),
      () => finish(true),
    );
    return running;
  }

  async #make(folder: string): Promise<void> {
    if (folder === this.#root) return makeFolderDurably(this.#fs, folder);
    await this.ensure(dirname(folder));
    await this.#fs.mkdir(folder);
    // The parent is synced even when the folder was there: another process may have made it a moment ago.
    await this.sync(dirname(folder));
  }
}
