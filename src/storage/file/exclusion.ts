import type { FileSystem } from '../file-system.ts';
import { Limiter } from './limiter.ts';

/** One queue per file system and path, shared by every store of this process on the same folder. */
const queues = new WeakMap<FileSystem, Map<string, Limiter>>();

/** Runs tasks one at a time: among this process by a queue, among processes by the file system's lock where it has one. */
export class Exclusion {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #queue: Limiter;

  constructor(fs: FileSystem, path: string) {
    this.#fs = fs;
    this.#path = path;
    const paths = queues.get(fs) ?? new Map<string, Limiter>();
    queues.set(fs, paths);
    this.#queue = paths.get(path) ?? new Limiter(1);
    paths.set(path, this.#queue);
  }

  run<T>(task: () => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      const lock = await this.#fs.lock?.(this.#path);
      try {
        return await task();
      } finally {
        // The task has its outcome; a lock that cannot be given back ends with the process.
        await lock?.release().catch(() => {});
      }
    });
  }
}
