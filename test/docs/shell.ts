import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BIN = join(ROOT, 'bin', 'tailwater.js');

export interface Done {
  code: number;
  stdout: string;
  stderr: string;
}

/** A command that runs until it is told to stop. */
export interface Background {
  /** The next line of its output. */
  line(): Promise<string>;
  /** Ctrl-C, as a terminal sends it: to every process of the command. */
  interrupt(): Promise<number | null>;
}

/** A terminal in a folder, where `npx tailwater` is this project's command. */
export class Shell implements AsyncDisposable {
  readonly cwd: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #running = new Set<ChildProcess>();

  private constructor(cwd: string, env: NodeJS.ProcessEnv) {
    this.cwd = cwd;
    this.#env = env;
  }

  /** `tools`: an empty folder for what is put in front of the PATH. */
  static async open(cwd: string, tools: string): Promise<Shell> {
    await mkdir(tools, { recursive: true });
    const npx = join(tools, 'npx');
    const refusal = '{ echo "the tests know npx tailwater only, not: npx $*" >&2; exit 127; }';
    await writeFile(npx, `#!/bin/sh\n[ "$1" = tailwater ] || ${refusal}\nshift\nexec '${process.execPath}' '${BIN}' "$@"\n`);
    await chmod(npx, 0o755);
    const { TAILWATER_DATA_DIR, ...env } = process.env;
    return new Shell(cwd, { ...env, PATH: `${tools}${delimiter}${env.PATH}` });
  }

  async run(command: string, cwd = this.cwd): Promise<Done> {
    const child = this.#spawn(command, cwd);
    const done = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]!.setEncoding('utf8').on('data', text => {
        done[name] += text;
      });
    }
    const [code] = await once(child, 'close');
    return { code: code ?? -1, ...done };
  }

  background(command: string): Background {
    const child = this.#spawn(command, this.cwd);
    child.stderr!.resume();
    const lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
    return {
      line: async () => {
        const { done, value } = await lines.next();
        if (done) throw new Error(`"${command}" ended, with ${child.exitCode}`);
        return value;
      },
      interrupt: async () => {
        const ended = once(child, 'close');
        process.kill(-child.pid!, 'SIGINT');
        return (await ended)[0];
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [...this.#running].map(child => {
        const ended = once(child, 'close');
        process.kill(-child.pid!, 'SIGKILL');
        return ended;
      }),
    );
  }

  #spawn(command: string, cwd: string): ChildProcess {
    const child = spawn('bash', ['-euo', 'pipefail', '-c', command], {
      cwd,
      env: this.#env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#running.add(child);
    child.on('close', () => this.#running.delete(child));
    return child;
  }
}

/** A terminal for the tests of a file, in an empty folder of its own that goes with them. */
export function useShell(): { readonly shell: Shell } {
  let folder: string;
  let opened: Shell;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tailwater-docs-'));
    const home = join(folder, 'home');
    await mkdir(home);
    opened = await Shell.open(home, join(folder, 'tools'));
  });
  afterAll(async () => {
    await opened[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    get shell() {
      return opened;
    },
  };
}
