import type { Command } from 'commander';
import { pino } from 'pino';
import { type Logger, systemClock, TailwaterError } from '../../base/index.ts';
import { type HttpServer, type NodeConfig, SETTINGS, serve, startTracing, Tailwater } from '../../server/index.ts';
import { addExamples } from '../common.ts';
import type { CliContext } from '../context.ts';
import { printJson, printLine } from '../output.ts';
import { findServer, removeServerNote, writeServerNote } from '../server-note.ts';
import { addSettingOptions, configOf, type SettingOptions } from '../setting-options.ts';

type StartOptions = SettingOptions & { json?: boolean };

/** A terminal's Ctrl-C reaches a process twice when its parent forwards it; a person's second one comes later. */
const SAME_SIGNAL_MS = 1000;

/** Settings that most nodes are told; `docs/SETTINGS.md` has all of them. */
const SHOWN = new Set(['dataDir', 'storage', 'roles', 'host', 'port', 'insecure', 'logLevel', 's3.endpoint', 's3.region']);

export function addStartCommand(program: Command, context: CliContext): void {
  const command = program.command('start').description('run a server on a data folder, or on S3, until it is told to stop');
  addSettings(command, {}).action((options: StartOptions) => start(options, context, {}));
  addExamples(command, [
    'start',
    'start --data ./shop --port 9000',
    'start --storage s3://lake/shop --data ./node-1 --roles ingest,retrieve',
    'start --port 0 --json',
  ]);
}

export function addWorkerCommand(program: Command, context: CliContext): void {
  const command = program
    .command('worker')
    .description('run a node that only compacts and collects; its server has health and metrics');
  const implied = { roles: 'work', port: '0' };
  addSettings(command, implied).action((options: StartOptions) => start(options, context, implied));
  addExamples(command, ['worker --storage s3://lake/shop --data ./worker-1']);
}

function addSettings(command: Command, implied: Record<string, string>): Command {
  return addSettingOptions(command, SETTINGS, { shown: SHOWN, implied }).option('--json', 'print JSON');
}

/** `implied`: what the command itself says, by the names of settings; it loses to all that is given. */
async function start(options: StartOptions, context: CliContext, implied: Record<string, string>): Promise<void> {
  const config = await configOf(options, context, implied);
  const logger: Logger = pino({ name: 'tailwater', level: config.logLevel }, context.stderr);
  const { dataDir, roles } = config.engine;
  const stopTracing = config.traces === undefined ? null : startTracing(config.traces);
  const tailwater = await openNode(config, logger);
  // A worker answers no command.
  const isNoted = roles?.some(role => role !== 'work') ?? true;
  try {
    const { host, port, insecure, logRequests, rateLimits, adminKey, tls } = config;
    const server = await serve(tailwater.engine, {
      host,
      port,
      logger,
      insecure,
      logRequests,
      rateLimits,
      ...(adminKey && { adminKey }),
      ...(tls && { tls }),
    });
    try {
      if (isNoted) await writeServerNote(dataDir, { url: server.url, pid: process.pid });
      // Listening first: who reads the announcement may stop the server at once.
      const stopped = untilSignal(context);
      announce(options, config, server, context);
      await stopped;
      logger.info({}, 'Stopping: requests in flight are answered first');
    } finally {
      if (isNoted) await removeServerNote(dataDir);
      await server.close();
    }
  } finally {
    await tailwater.close();
    await stopTracing?.();
  }
  logger.info({}, 'Stopped');
}

async function openNode({ engine }: NodeConfig, logger: Logger): Promise<Tailwater> {
  try {
    return await Tailwater.open({ ...engine, logger });
  } catch (error) {
    const server = error instanceof TailwaterError && error.code === 'TW_FOLDER_IN_USE' ? await findServer(engine.dataDir) : null;
    if (server === null) throw error;
    throw new TailwaterError('TW_FOLDER_IN_USE', {
      detail: `A server runs on ${engine.dataDir} already: ${server.url} (process ${server.pid}).`,
      data: { url: server.url, pid: server.pid },
    });
  }
}

function announce(options: StartOptions, { engine }: NodeConfig, server: HttpServer, context: CliContext): void {
  const s3 = engine.storage?.s3;
  const storage = s3 === undefined ? null : `s3://${s3.bucket}/${s3.prefix}`;
  if (options.json === true)
    printJson(context, { url: server.url, pid: process.pid, data: engine.dataDir, ...(storage !== null && { storage }) });
  else {
    const place = storage ?? `data folder ${engine.dataDir}`;
    printLine(context, `Tailwater listens on ${server.url} (${place}). Stop it with Ctrl-C.`);
  }
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
