import type { Writable } from 'node:stream';

/** The world of a command: where it writes, and what tells it to stop. Tests bring their own. */
export interface CliContext {
  stdin: AsyncIterable<Uint8Array>;
  stdout: Writable & { isTTY?: boolean; columns?: number };
  stderr: Writable & { isTTY?: boolean };
  env: Record<string, string | undefined>;
  /** Calls back with each signal that asks to stop; the returned function stops listening. */
  onSignal(listener: () => void): () => void;
  /** What the command ends with when it does what it was told and finds what it looked for. */
  foundExitCode?: number;
  /** Ends the process at once. */
  exit(code: number): void;
}

export const processContext: CliContext = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  onSignal(listener) {
    process.on('SIGINT', listener).on('SIGTERM', listener);
    return () => process.off('SIGINT', listener).off('SIGTERM', listener);
  },
  exit: code => process.exit(code),
};

/** Options that every command has. */
export interface CommonOptions {
  data: string;
  url?: string;
  /** Of TAILWATER_API_KEY: others on the machine can read command lines. */
  apiKey?: string;
  json?: boolean;
}
