import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { CliContext } from '../../src/cli/context.ts';
import { runCli } from '../../src/cli/program.ts';

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  stdin?: string | Uint8Array;
  /** Terminal width; absent: a pipe. */
  columns?: number;
  /** Variables beside the one that names the data folder. */
  env?: Record<string, string>;
}

export interface TestCli extends AsyncDisposable {
  /** A folder for files; the data folder is `data` in it, and every command gets it. */
  folder: string;
  dataDir: string;
  run(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  /** Runs with --json and parses what is printed. */
  json(args: readonly string[], options?: RunOptions): Promise<unknown>;
}

/** The command line in this process, on a folder of its own. */
export async function temporaryCli(): Promise<TestCli> {
  const folder = await mkdtemp(join(tmpdir(), 'tailwater-cli-'));
  const dataDir = join(folder, 'data');
  const run = (args: readonly string[], options: RunOptions = {}) =>
    runOnce(args, { TAILWATER_DATA_DIR: dataDir, ...options.env }, options);
  return {
    folder,
    dataDir,
    run,
    async json(args, options) {
      const { code, stdout, stderr } = await run([...args, '--json'], options);
      if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
      return JSON.parse(stdout);
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function runOnce(
  args: readonly string[],
  env: Record<string, string>,
  { stdin = '', columns }: RunOptions,
): Promise<Outcome> {
  const terminal = columns === undefined ? {} : { isTTY: true, columns };
  const stdout = Object.assign(new Collector(), terminal);
  const stderr = Object.assign(new Collector(), terminal);
  const context: CliContext = {
    stdin: (async function* () {
      yield Buffer.from(stdin);
    })(),
    stdout,
    stderr,
    env,
    onSignal: () => () => {},
    exit: () => {},
  };
  const code = await runCli(args, context);
  return { code, stdout: stdout.text, stderr: stderr.text };
}

class Collector extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
