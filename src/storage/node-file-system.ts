import { constants, write } from 'node:fs';
import * as fs from 'node:fs/promises';
import { platform } from 'node:os';
import type { FileSystem, OpenFile } from './file-system.ts';
import { lockFile } from './node-file-lock.ts';

/** Linux's O_DSYNC is fdatasync with every write. Elsewhere it may promise less than `datasync` does (macOS: no flush of the drive). */
const DURABLE_WRITES = platform() === 'linux' ? constants.O_DSYNC : 0;

const FLAGS = {
  create: constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY,
  write: constants.O_RDWR | DURABLE_WRITES,
  read: constants.O_RDONLY,
} as const;

/** The file system of the operating system, through node:fs/promises. */
export const nodeFileSystem: FileSystem = {
  open: async (path, mode) => new NodeFile(await fs.open(path, FLAGS[mode], 0o644), mode === 'write' && DURABLE_WRITES !== 0),
  readFile: path => fs.readFile(path),
  link: (from, to) => fs.link(from, to),
  rename: (from, to) => fs.rename(from, to),
  unlink: path => fs.unlink(path),
  mkdir: async path => {
    await fs.mkdir(path, { recursive: true });
  },
  readdir: async path => {
    const entries = await fs.readdir(path, { withFileTypes: true });
    return entries.map(entry => ({ name: entry.name, isDirectory: entry.isDirectory() }));
  },
  stat: async path => {
    try {
      const { size, mtimeMs } = await fs.stat(path);
      return { size, modifiedAtMs: mtimeMs };
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    }
  },
  syncFolder: async path => {
    await using folder = await fs.open(path, constants.O_RDONLY);
    await folder.sync();
  },
  lock: lockFile,
};

class NodeFile implements OpenFile {
  readonly #handle: fs.FileHandle;
  readonly #writesAreDurable: boolean;

  constructor(handle: fs.FileHandle, writesAreDurable: boolean) {
    this.#handle = handle;
    this.#writesAreDurable = writesAreDurable;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      // The system may take a part only, for example just before the disk is full: the next call then says why.
      written += await this.#writeSome(written === 0 ? bytes : bytes.subarray(written), position + written);
    }
  }

  async writeDurably(bytes: Uint8Array, position: number): Promise<void> {
    await this.write(bytes, position);
    if (!this.#writesAreDurable) await this.datasync();
  }

  /** Through the descriptor: FileHandle's own write costs a commit of a few hundred bytes a tenth of its time. */
  #writeSome(bytes: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      write(this.#handle.fd, bytes, 0, bytes.length, position, (error, count) => (error ? reject(error) : resolve(count)));
    });
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(bytes, filled, length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  }

  datasync(): Promise<void> {
    return this.#handle.datasync();
  }

  truncate(size: number): Promise<void> {
    return this.#handle.truncate(size);
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
