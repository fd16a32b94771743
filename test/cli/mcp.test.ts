import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/base/index.ts';
import { call, newClient, REVISIONS } from '../server/mcp-support.ts';
import { temporaryCli } from './cli-support.ts';
import { BIN, start } from './process-support.ts';

const SLOW_MS = 120_000;

interface Setup {
  client: string;
  config: JsonObject;
}

describe('tailwater mcp', () => {
  test.each(REVISIONS)(
    'serves a client of %s on a pipe, on the folder and on a server that runs there',
    {
      timeout: SLOW_MS,
    },
    async revision => {
      await using cli = await temporaryCli();
      const connect = async () => {
        const client = newClient(revision);
        const args = [BIN, 'mcp', '--stdio', '--data', cli.dataDir];
        await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: 'inherit' }));
        return client;
      };
      const alone = await connect();
      await call(alone, 'remember', { text: 'Ann lives in Oslo', subject: 'ann' });
      await alone.close();

      await using running = await start(cli);
      expect(running.url).toMatch(/^http/);
      const shared = await connect();
      const found = await call(shared, 'search', { stream: 'memories', text: 'where does Ann live' });
      expect((found.structured.hits as JsonObject[]).map(({ value }) => (value as JsonObject).text)).toEqual([
        'Ann lives in Oslo',
      ]);

      const told = new Promise<string>(resolve => {
        shared.setNotificationHandler('notifications/resources/updated', ({ params }) => resolve(params.uri));
      });
      const uri = 'tailwater://streams/memories';
      if (revision === '2026-07-28') await shared.listen({ resourceSubscriptions: [uri] });
      else await shared.subscribeResource({ uri });
      await call(shared, 'remember', { text: 'Ann moved to Bergen', subject: 'ann' });
      expect(await told).toBe(uri);
      await shared.close();
      expect((await running.end('SIGTERM')).code).toBe(0);
    },
  );

  test('says what to tell the common clients', async () => {
    await using cli = await temporaryCli();
    const setups = (await cli.json(['mcp'])) as Setup[];
    expect(setups.map(({ client }) => client)).toEqual(expect.arrayContaining(['Claude Desktop', 'Cursor', 'VS Code']));
    const desktop = setups[0].config.mcpServers as { tailwater: { command: string; args: string[] } };
    expect(desktop.tailwater).toEqual({ command: 'npx', args: ['tailwater', 'mcp', '--stdio', '--data', cli.dataDir] });
    const { stdout } = await cli.run(['mcp']);
    expect(stdout).toContain('"url": "http://127.0.0.1:8787/mcp"');
  });
});
