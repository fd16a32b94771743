import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './engine-support.ts';

/** A file system of a few megabytes that belongs to one test. */
export interface SmallDisk {
  path: string;
  resize(megabytes: number): void;
  readOnly(): void;
}

/** Runs the test on such a disk; where none may be mounted, says in one line what was left out. */
export async function onSmallDisk(megabytes: number, what: string, test: (disk: SmallDisk) => Promise<void>): Promise<void> {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'disk');
  mkdirSync(path);
  const mount = (options: string) => execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { stdio: 'pipe' });
  try {
    mount(`size=${megabytes}m`);
  } catch {
    console.info(`No file system may be mounted here: ${what} was left out. Run as root, on Linux, to include it.`);
    return;
  }
  try {
    await test({ path, resize: size => void mount(`remount,size=${size}m`), readOnly: () => void mount('remount,ro') });
  } finally {
    execFileSync('umount', ['-l', path]);
  }
}
