import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './shell.ts';

const run = promisify(execFile);
const TSC = join(ROOT, 'node_modules', '.bin', 'tsc');

/** An application folder with this project as a package in its node_modules, built as it is published; and others beside it. */
export async function installBuilt(app: string, beside: readonly string[] = []): Promise<void> {
  const home = join(app, 'node_modules', 'tailwater');
  await mkdir(home, { recursive: true });
  await copyFile(join(ROOT, 'package.json'), join(home, 'package.json'));
  await cp(join(ROOT, 'bin'), join(home, 'bin'), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(home, 'node_modules'));
  for (const name of beside) await symlink(join(ROOT, 'node_modules', name), join(app, 'node_modules', name));
  await run(TSC, ['-p', 'tsconfig.build.json', '--outDir', join(home, 'dist')], { cwd: ROOT });
  await writeFile(join(app, 'package.json'), '{ "type": "module" }\n');
}

/** Type-checks the modules of an application as strictly as this project checks itself. Throws what the compiler says. */
export async function typeCheck(app: string, files: readonly string[]): Promise<void> {
  const options = ['--strict', '--noEmit', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2024', '--types', ''];
  await run(TSC, [...options, ...files], { cwd: app }).catch(error => {
    throw new Error(`${error.stdout}${error.stderr}`);
  });
}
