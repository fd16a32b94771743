import { dirname } from 'node:path';
import type { Random } from '../../src/base/index.ts';
import type { FileSystem, OpenFile } from '../../src/storage/index.ts';
import { SimInode } from './sim-inode.ts';

/** What a file-system call does to the disk, in the order in which it happens. */
export interface DiskCall {
  call: 'create' | 'write' | 'datasync' | 'truncate' | 'link' | 'rename' | 'unlink' | 'mkdir' | 'syncFolder';
  path: string;
}

/** The code to fail with, or null. `applied`: fails after it took effect. */
type Fault = { code: string; applied?: boolean } | null;

/** Changes to names that were made together, such as the two of a rename. */
type NameChange = [path: string, inode: SimInode | 'folder' | null][];

/**
 * A file system in memory that keeps what programs see apart from what the disk has. `crash` loses what was not synced: bytes
 * without `datasync`, names without `syncFolder`; a torn write leaves any of its sectors behind.
 */
export class SimFileSystem implements FileSystem {
  /** Every call that changes the disk so far. */
  readonly calls: DiskCall[] = [];
  /** The disk takes no more than this. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** The process dies at this call, counted from 0 over all of `calls`; the call may or may not have had an effect. */
  crashAtCall = Number.POSITIVE_INFINITY;
  /** Decides which calls fail. */
  fault: (call: DiskCall) => Fault = () => null;
  readonly #random: Random;
  readonly #names = new Map<string, SimInode | 'folder'>([['/', 'folder']]);
  #durableNames = new Map<string, SimInode | 'folder'>([['/', 'folder']]);
  #unsyncedNames: NameChange[] = [];
  #dead = false;

  constructor(random: Random) {
    this.#random = random;
  }

  get crashed(): boolean {
    return this.#dead;
  }

  /** What the next process finds after the machine stopped now; this file system is dead from here on. */
  crash(): SimFileSystem {
    this.#dead = true;
    const next = new SimFileSystem(this.#random);
    const names = new Map(this.#durableNames);
    for (const change of this.#unsyncedNames) if (this.#random.float() < 0.5) applyNames(names, change);
    for (const [path, inode] of names) if (reachable(names, path)) next.#names.set(path, inode);
    next.#durableNames = new Map(next.#names);
    for (const inode of new Set(next.#names.values())) if (inode !== 'folder') inode.crash(this.#random);
    return next;
  }

  /** What the next process finds after only this process died: nothing is lost, and nothing becomes durable by it. */
  kill(): SimFileSystem {
    this.#dead = true;
    const next = new SimFileSystem(this.#random);
    for (const [path, inode] of this.#names) next.#names.set(path, inode);
    next.#durableNames = new Map(this.#durableNames);
    next.#unsyncedNames = [...this.#unsyncedNames];
    return next;
  }

  /** The file's bytes, to look at or to damage. */
  bytesOf(path: string): Uint8Array {
    return this.#file(path).content;
  }

  /** The paths of all files. */
  paths(): string[] {
    return [...this.#names].filter(([, inode]) => inode !== 'folder').map(([path]) => path);
  }

  async open(path: string, mode: 'create' | 'write' | 'read'): Promise<OpenFile> {
    await this.#turn();
    if (mode !== 'create') return this.#handle(path, this.#file(path));
    if (this.#names.has(path)) throw failure('EEXIST', path);
    this.#requireFolder(path);
    const inode = new SimInode();
    this.#change({ call: 'create', path }, () => {
      if (this.#free() <= 0) throw failure('ENOSPC', path);
      this.#rename([[path, inode]]);
    });
    return this.#handle(path, inode);
  }

  async readFile(path: string): Promise<Uint8Array> {
    await this.#turn();
    return this.#file(path).content.slice();
  }

  async link(from: string, to: string): Promise<void> {
    await this.#turn();
    const inode = this.#file(from);
    if (this.#names.has(to)) throw failure('EEXIST', to);
    this.#requireFolder(to);
    this.#change({ call: 'link', path: to }, () => this.#rename([[to, inode]]));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#turn();
    const inode = this.#file(from);
    this.#requireFolder(to);
    this.#change({ call: 'rename', path: to }, () =>
      this.#rename([
        [to, inode],
        [from, null],
      ]),
    );
  }

  async unlink(path: string): Promise<void> {
    await this.#turn();
    this.#file(path);
    this.#change({ call: 'unlink', path }, () => this.#rename([[path, null]]));
  }

  async mkdir(path: string): Promise<void> {
    await this.#turn();
    const missing: string[] = [];
    for (let folder = path; !this.#names.has(folder); folder = dirname(folder)) missing.unshift(folder);
    if (missing.length === 0) return;
    this.#change({ call: 'mkdir', path }, () => {
      for (const folder of missing) this.#rename([[folder, 'folder']]);
    });
  }

  async readdir(path: string): Promise<{ name: string; isDirectory: boolean }[]> {
    await this.#turn();
    if (this.#names.get(path) !== 'folder') throw failure('ENOENT', path);
    return [...this.#names]
      .filter(([name]) => name !== '/' && dirname(name) === path)
      .map(([name, inode]) => ({ name: name.slice(name.lastIndexOf('/') + 1), isDirectory: inode === 'folder' }));
  }

  async stat(path: string): Promise<{ size: number } | null> {
    await this.#turn();
    const inode = this.#names.get(path);
    if (inode === undefined) return null;
    return { size: inode === 'folder' ? 4096 : inode.content.length };
  }

  async syncFolder(path: string): Promise<void> {
    await this.#turn();
    if (this.#names.get(path) !== 'folder') throw failure('ENOENT', path);
    this.#change({ call: 'syncFolder', path }, () => {
      const here = (change: NameChange): boolean => change.some(([name]) => dirname(name) === path);
      for (const change of this.#unsyncedNames.filter(here)) applyNames(this.#durableNames, change);
      this.#unsyncedNames = this.#unsyncedNames.filter(change => !here(change));
    });
  }

  #handle(path: string, inode: SimInode): OpenFile {
    const change = async (call: DiskCall['call'], effect: () => void, onFault = () => {}): Promise<void> => {
      await this.#turn();
      this.#change({ call, path }, effect, onFault);
    };
    // What a descriptor says after a failed sync proves nothing: it fails for ever, so that nobody relies on it.
    let syncFailed = false;
    const sync = (): void => {
      if (syncFailed) throw failure('EIO', `${path} (synced again on a descriptor whose sync had failed)`);
      inode.sync();
    };
    const failSync = (): void => {
      syncFailed = true;
      inode.failSync();
    };
    const write = (bytes: Uint8Array, position: number) => change('write', () => this.#write(path, inode, bytes, position));
    const datasync = () => change('datasync', sync, failSync);
    return {
      write,
      datasync,
      // Two steps also here: a process may die between them, and a system without such a call has two.
      writeDurably: async (bytes, position) => {
        await write(bytes, position);
        await datasync();
      },
      truncate: size => change('truncate', () => inode.apply({ kind: 'truncate', size })),
      read: async (position, length) => {
        await this.#turn();
        return inode.content.slice(position, position + length);
      },
      size: async () => {
        await this.#turn();
        return inode.content.length;
      },
      close: () => this.#turn(),
    };
  }

  #write(path: string, inode: SimInode, bytes: Uint8Array, position: number): void {
    // What overwrites takes no space, also on a disk that is over its limit.
    const room = inode.content.length + Math.max(0, this.#free()) - position;
    const fitting = bytes.subarray(0, Math.max(0, Math.min(bytes.length, room)));
    if (fitting.length > 0) inode.apply({ kind: 'write', position, bytes: fitting });
    if (fitting.length < bytes.length) throw failure('ENOSPC', path);
  }

  /** One change of the disk: it may be where the process dies, or be told to fail. */
  #change(call: DiskCall, effect: () => void, onFault: () => void = () => {}): void {
    // A process that died since it made the call changes nothing any more: the system ends its calls before it lets its locks go.
    if (this.#dead) throw failure('EIO', `${call.path} (the machine has stopped)`);
    const number = this.calls.push(call) - 1;
    if (number >= this.crashAtCall) {
      if (this.#random.float() < 0.5) effect();
      this.#dead = true;
      throw failure('EIO', `${call.path} (the machine has stopped)`);
    }
    const fault = this.fault(call);
    if (fault === null || fault.applied) effect();
    else onFault();
    if (fault !== null) throw failure(fault.code, call.path);
  }

  async #turn(): Promise<void> {
    if (this.#dead) throw failure('EIO', 'the machine has stopped');
  }

  #rename(change: NameChange): void {
    applyNames(this.#names, change);
    this.#unsyncedNames.push(change);
  }

  #file(path: string): SimInode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw failure('ENOENT', path);
    if (inode === 'folder') throw failure('EISDIR', path);
    return inode;
  }

  #requireFolder(path: string): void {
    if (this.#names.get(dirname(path)) !== 'folder') throw failure('ENOENT', path);
  }

  #free(): number {
    let used = 0;
    for (const inode of new Set(this.#names.values())) if (inode !== 'folder') used += inode.content.length;
    return this.capacityBytes - used;
  }
}

function applyNames(names: Map<string, SimInode | 'folder'>, change: NameChange): void {
  for (const [path, inode] of change) {
    if (inode === null) names.delete(path);
    else names.set(path, inode);
  }
}

function reachable(names: Map<string, SimInode | 'folder'>, path: string): boolean {
  return path === '/' || (names.get(dirname(path)) === 'folder' && reachable(names, dirname(path)));
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
