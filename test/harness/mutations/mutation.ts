import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A bug to plant: one fragment of one source file, replaced as the file is loaded. The file itself is never touched. */
export interface Mutation {
  name: string;
  /** Relative to the repository. */
  file: string;
  /** Occurs exactly once in the file. */
  find: string;
  replace: string;
}

/** How the hook is told which mutation to apply. */
export const MUTATION_VARIABLE = 'TAILWATER_MUTATION';
/** The exit code of a script whose mutation could not be planted, or whose file was never loaded: its result says nothing. */
export const NOT_PLANTED = 99;

const HOOK = new URL('hook.ts', import.meta.url);

/** The file's text with the bug in it. Throws unless the fragment occurs exactly once and the replacement differs. */
export function mutate(text: string, { name, file, find, replace }: Mutation): string {
  const parts = text.split(find);
  if (parts.length !== 2)
    throw new Error(`Mutation '${name}': its fragment occurs ${parts.length - 1} times in ${file}, not once.`);
  if (find === replace) throw new Error(`Mutation '${name}' changes nothing.`);
  return parts.join(replace);
}

export interface MutantRun {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs a script of this repository in a process of its own that has the bug. Throws when the bug could not be planted. */
export async function runMutant(mutation: Mutation, script: string, args: readonly string[] = []): Promise<MutantRun> {
  const command = ['--import', HOOK.href, script, ...args];
  const env = { ...process.env, [MUTATION_VARIABLE]: JSON.stringify(mutation) };
  const run = await new Promise<MutantRun>(resolve => {
    const options = { cwd: fileURLToPath(new URL('../../..', import.meta.url)), env, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, command, options, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ exitCode, stdout, stderr });
    });
  });
  if (run.exitCode === NOT_PLANTED) throw new Error(`Mutation '${mutation.name}' could not be planted: ${run.stderr}`);
  return run;
}
