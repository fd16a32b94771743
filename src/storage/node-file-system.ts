import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { FileSystem, OpenFile } from './file-system.ts';
import { lockFile } from './node-file-lock.ts';

const FLAGS = {
  create: constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY,
  write: constants.O_RDWR,
  read: constants.O_RDONLY,
} as const;

/** The file system of the operating system, through node:fs/promises. */
export const nodeFileSystem: FileSystem = {
  open: async (path, mode) => new NodeFile(await fs.open(path, FLAGS[mode], 0o644)),
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
      return { size: (await fs.stat(path)).size };
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

  constructor(handle: fs.FileHandle) {
    this.#handle = handle;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      // The system may take a part only, for example just before the disk is full: the next call then says why.
      const { bytesWritten } = await this.#handle.write(bytes, written, bytes.length - written, position + written);
      written += bytesWritten;
    }
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
