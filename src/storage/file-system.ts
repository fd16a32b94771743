/**
 * The file-system port: the few calls that durability rests on, so that tests can lose unsynced bytes, tear writes and fill the disk.
 * Errors are Node's (`code: 'ENOENT' | 'EEXIST' | 'ENOSPC' | 'EIO' …`).
 */
export interface FileSystem {
  /** `create` opens with O_CREAT | O_EXCL for writing; `write` opens an existing file for reading and writing; `read` for reading only. */
  open(path: string, mode: 'create' | 'write' | 'read'): Promise<OpenFile>;
  readFile(path: string): Promise<Uint8Array>;
  /** Hard link; fails with EEXIST when `to` exists: this, not rename, is put-if-absent. */
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Recursive; no error when it exists. */
  mkdir(path: string): Promise<void>;
  /** Entries of a folder, unsorted. ENOENT when the folder is absent. */
  readdir(path: string): Promise<{ name: string; isDirectory: boolean }[]>;
  /** `modifiedAtMs`: absent where the file system keeps no times. */
  stat(path: string): Promise<{ size: number; modifiedAtMs?: number } | null>;
  /** fsync of a folder: makes created, linked and removed names durable. */
  syncFolder(path: string): Promise<void>;
  /**
   * An exclusive lock between processes that the operating system drops when its holder dies; waits until it is free. `path` is a file
   * made for this purpose. A file system without locks belongs to one process: its users then exclude each other in memory only.
   */
  lock?(path: string): Promise<FileLock>;
}

export interface FileLock {
  release(): Promise<void>;
}

export interface OpenFile {
  /** Writes all the bytes at the position (one pwrite where the system takes it whole). */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Reads up to `length` bytes; fewer at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>;
  /** `write` and `datasync` as one step, in one system call where the system has one. After a failure, as after one of `datasync`, the file is reopened. */
  writeDurably(bytes: Uint8Array, position: number): Promise<void>;
  /** fdatasync. */
  datasync(): Promise<void>;
  truncate(size: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}
