import type { Command } from 'commander';
import { pino } from 'pino';
import { type Logger, systemClock, TailwaterError } from '../../base/index.ts';
import { type HttpServer, serve, Tailwater } from '../../server/index.ts';
import { parseCount } from '../arguments.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { printJson, printLine } from '../output.ts';
import { findServer, removeServerNote, writeServerNote } from '../server-note.ts';

interface StartOptions extends CommonOptions {
  host: string;
  port: number;
  logLevel: string;
}

/** A terminal's Ctrl-C reaches a process twice when its parent forwards it; a person's second one comes later. */
const SAME_SIGNAL_MS = 1000;

export function addStartCommand(program: Command, context: CliContext): void {
  const command = program
    .command('start')
    .description('run a server on a data folder until it is told to stop')
    .option('--port <port>', 'port to listen on; 0 picks a free one', parseCount, 8787)
    .option(
      '--host <host>',
      'address to listen on; there is no authentication, so others than this machine need a trusted network',
      '127.0.0.1',
    )
    .option('--log-level <level>', 'what is logged to stderr: debug, info, warn, error or silent', 'info')
    .action((options: StartOptions) => start(options, context));
  addCommonOptions(command, context, { server: false });
  addExamples(command, ['start', 'start --data ./shop --port 9000', 'start --port 0 --json']);
}

async function start(options: StartOptions, context: CliContext): Promise<void> {
  const logger: Logger = pino({ name: 'tailwater', level: options.logLevel }, context.stderr);
  const tailwater = await openFolder(options, logger);
  try {
    const server = await serve(tailwater.engine, { host: options.host, port: options.port, logger });
    try {
      await writeServerNote(options.data, { url: server.url, pid: process.pid });
      // Whoever waits for the announcement may send a signal right away.
      const stopped = untilSignal(context);
      announce(options, server, context);
      await stopped;
      logger.info({}, 'Stopping: requests in flight are answered first');
    } finally {
      await removeServerNote(options.data);
      await server.close();
    }
  } finally {
    await tailwater.close();
  }
  logger.info({}, 'Stopped');
}

async function openFolder(options: StartOptions, logger: Logger): Promise<Tailwater> {
  try {
    return await Tailwater.open({ dataDir: options.data, logger: logger });
  } catch (error) {
    const server = error instanceof TailwaterError && error.code === 'TW_FOLDER_IN_USE' ? await findServer(options.data) : null;
    if (server === null) throw error;
    throw new TailwaterError('TW_FOLDER_IN_USE', {
      detail: `A server runs on ${options.data} already: ${server.url} (process ${server.pid}).`,
      data: { url: server.url, pid: server.pid },
    });
  }
}

function announce(options: StartOptions, server: HttpServer, context: CliContext): void {
  if (options.json === true) printJson(context, { url: server.url, pid: process.pid, data: options.data });
  else printLine(context, `Tailwater listens on ${server.url} (data folder ${options.data}). Stop it with Ctrl-C.`);
}

/** Resolves at the first signal; a later one ends the process without waiting. */
function untilSignal(context: CliContext): Promise<void> {
  return new Promise(resolve => {
    let firstAtMs: number | null = null;
    context.onSignal(() => {
      const nowMs = systemClock.nowMs();
      if (firstAtMs === null) {
        firstAtMs = nowMs;
        resolve();
      } else if (nowMs - firstAtMs > SAME_SIGNAL_MS) context.exit(1);
    });
  });
}
