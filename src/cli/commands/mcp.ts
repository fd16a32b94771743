import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { type JsonObject, systemClock } from '../../base/index.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { printJson, printLine } from '../output.ts';
import { findServer } from '../server-note.ts';

interface McpOptions extends CommonOptions {
  stdio?: boolean;
}

export function addMcpCommand(program: Command, context: CliContext): void {
  const command = program
    .command('mcp')
    .description('give tools to agents by the Model Context Protocol; without --stdio, print what to tell the common clients')
    .option('--stdio', 'serve on stdin and stdout: what a client runs')
    .action((options: McpOptions) => (options.stdio === true ? serveStdio(options, context) : printClients(options, context)));
  addCommonOptions(command, context);
  addExamples(command, ['mcp', 'mcp --stdio --data ./shop', 'mcp --stdio --url http://127.0.0.1:8787']);
}

/** Until the client leaves or a signal comes; nothing but messages of the protocol may be on stdout. */
function serveStdio(options: McpOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: true }, async ({ api }) => {
    const { serveMcpStdio } = await import('../../server/index.ts');
    const stdin = context.stdin instanceof Readable ? context.stdin : Readable.from(context.stdin);
    const served = serveMcpStdio(api, { stdin, stdout: context.stdout, clock: systemClock });
    const stopListening = context.onSignal(() => void served.close());
    await served.closed;
    stopListening();
  });
}

interface ClientSetup {
  client: string;
  /** Where the configuration goes. */
  file: string;
  config: JsonObject;
}

async function printClients(options: McpOptions, context: CliContext): Promise<void> {
  const url = options.url ?? (await findServer(options.data))?.url ?? 'http://127.0.0.1:8787';
  const setups = setupsOf(`${url.replace(/\/+$/, '')}/mcp`, options);
  if (options.json === true) {
    printJson(context, setups);
    return;
  }
  for (const { client, file, config } of setups) {
    printLine(context, `${client}: ${file}`);
    printLine(context, `${JSON.stringify(config, null, 2)}\n`);
  }
  printLine(context, `Those with a URL need a running server: tailwater start --data ${options.data}`);
}

/** Desktop clients run a command; those that speak HTTP share the server. */
function setupsOf(url: string, { data, url: given }: McpOptions): ClientSetup[] {
  const target = given === undefined ? ['--data', resolve(data)] : ['--url', given];
  const command = { command: 'npx', args: ['tailwater', 'mcp', '--stdio', ...target] };
  return [
    { client: 'Claude Desktop', file: 'claude_desktop_config.json', config: { mcpServers: { tailwater: command } } },
    { client: 'Cursor', file: '.cursor/mcp.json', config: { mcpServers: { tailwater: { url } } } },
    { client: 'VS Code', file: '.vscode/mcp.json', config: { servers: { tailwater: { type: 'http', url } } } },
    { client: 'Any client over HTTP', file: 'its own', config: { mcpServers: { tailwater: { type: 'http', url } } } },
    { client: 'Any client that runs a command', file: 'its own', config: { mcpServers: { tailwater: command } } },
  ];
}
