import type { FileSystem, OpenFile } from '../../src/storage/index.ts';

type Call = keyof FileSystem | `file.${keyof OpenFile}`;

interface Planned {
  calls: readonly Call[];
  errno: string;
  /** Fails after the effect instead of before it. */
  applied: boolean;
}

/** A file system that records its calls and fails as told. */
export class FaultyFileSystem implements FileSystem {
  readonly calls: { call: Call; path: string }[] = [];
  bytesRead = 0;
  /** From this call on (counted from now) nothing happens any more, as after a crash of the process. */
  callsUntilCrash = Number.POSITIVE_INFINITY;
  readonly #inner: FileSystem;
  readonly #planned: Planned[] = [];

  constructor(inner: FileSystem) {
    this.#inner = inner;
  }

  /** The next call that is one of these fails, once. */
  failNext(calls: Call | readonly Call[], errno: string, applied = false): void {
    this.#planned.push({ calls: typeof calls === 'string' ? [calls] : calls, errno, applied });
  }

  async open(path: string, mode: 'create' | 'write' | 'read'): Promise<OpenFile> {
    return this.#wrap(path, await this.#run('open', path, () => this.#inner.open(path, mode)));
  }

  async readFile(path: string): Promise<Uint8Array> {
    const bytes = await this.#run('readFile', path, () => this.#inner.readFile(path));
    this.bytesRead += bytes.length;
    return bytes;
  }

  link = (from: string, to: string) => this.#run('link', to, () => this.#inner.link(from, to));
  rename = (from: string, to: string) => this.#run('rename', to, () => this.#inner.rename(from, to));
  unlink = (path: string) => this.#run('unlink', path, () => this.#inner.unlink(path));
  mkdir = (path: string) => this.#run('mkdir', path, () => this.#inner.mkdir(path));
  readdir = (path: string) => this.#run('readdir', path, () => this.#inner.readdir(path));
  stat = (path: string) => this.#run('stat', path, () => this.#inner.stat(path));
  syncFolder = (path: string) => this.#run('syncFolder', path, () => this.#inner.syncFolder(path));
  lock = (path: string) => this.#run('lock', path, () => this.#inner.lock!(path));

  #wrap(path: string, file: OpenFile): OpenFile {
    return {
      write: (bytes, position) => this.#run('file.write', path, () => file.write(bytes, position)),
      read: async (position, length) => {
        const bytes = await this.#run('file.read', path, () => file.read(position, length));
        this.bytesRead += bytes.length;
        return bytes;
      },
      writeDurably: (bytes, position) => this.#run('file.writeDurably', path, () => file.writeDurably(bytes, position)),
      datasync: () => this.#run('file.datasync', path, () => file.datasync()),
      truncate: size => this.#run('file.truncate', path, () => file.truncate(size)),
      size: () => this.#run('file.size', path, () => file.size()),
      close: () => file.close(),
    };
  }

  async #run<T>(call: Call, path: string, effect: () => Promise<T>): Promise<T> {
    if (this.callsUntilCrash <= 0) throw errnoError('EIO', `${call} after the crash`);
    this.callsUntilCrash--;
    this.calls.push({ call, path });
    const at = this.#planned.findIndex(planned => planned.calls.includes(call));
    if (at < 0) return effect();
    const [planned] = this.#planned.splice(at, 1);
    if (planned.applied) await effect();
    throw errnoError(planned.errno, call);
  }
}

function errnoError(errno: string, what: string): Error {
  return Object.assign(new Error(`${errno}: ${what}`), { code: errno });
}
