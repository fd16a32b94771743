import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commandsOf, fencedBlocks, relativeLinks } from './markdown.ts';
import { ROOT, useShell } from './shell.ts';

const GUIDE = readFileSync(join(ROOT, 'docs', 'SECURITY.md'), 'utf8');

const docs = useShell();

test('the guide to keys is right, command by command', { timeout: 300_000 }, async () => {
  const [start, ...later] = fencedBlocks(GUIDE).filter(({ language }) => language === 'sh');
  const [adminKey, serve] = commandsOf(start);
  const { stdout } = await docs.shell.run(`${adminKey}; echo $TAILWATER_ADMIN_KEY`);
  const exported = `export TAILWATER_ADMIN_KEY=${stdout.trim()}`;
  const server = docs.shell.background(`${exported}; ${serve} --port 0`);
  expect(await server.line()).toMatch(/^Tailwater listens on http:/);
  expect((await docs.shell.run('npx tailwater streams list')).stderr).toContain('TW_UNAUTHENTICATED');

  const [setKey, ...commands] = later.flatMap(commandsOf);
  const shown: string[] = [];
  for (const command of commands) {
    const done = await docs.shell.run(`${exported}; ${setKey}; ${command}`);
    expect(done.code, `${command}\n${done.stdout}${done.stderr}`).toBe(0);
    shown.push(done.stdout);
  }
  const [setup, , importer, , listed, , json] = shown;
  expect(listed).toMatch(/importer +read write +orders\.\*/);
  expect(JSON.parse(json).map(({ name }: { name: string }) => name)).toEqual(['setup', 'importer', 'dashboards', 'importer-2']);
  const write = (key: string, stream: string) =>
    docs.shell.run(
      `export TAILWATER_API_KEY=${key.trim()}; echo '{"n": 1}' | npx tailwater ingest - --stream ${stream} --format ndjson`,
    );
  expect((await write(setup, 'orders.eu')).code).toBe(0);
  expect((await write(importer, 'orders.eu')).code).toBe(0);
  expect((await write(importer, 'users')).stderr).toContain('TW_FORBIDDEN');
  expect(await server.interrupt()).toBe(0);
  expect(relativeLinks(GUIDE).filter(target => !existsSync(join(ROOT, 'docs', target)))).toEqual([]);
});
