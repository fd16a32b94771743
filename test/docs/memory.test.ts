import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Tailwater } from '../../src/index.ts';
import { startServer } from '../server/http-support.ts';
import { installBuilt, typeCheck } from './built-package.ts';
import { fencedBlocks, relativeLinks } from './markdown.ts';
import { ROOT, useShell } from './shell.ts';

const GUIDE = readFileSync(join(ROOT, 'docs', 'MEMORY.md'), 'utf8');
const SLOW_MS = 180_000;

const docs = useShell();

const BEFORE = 'declare const console: { log(text: string): void };\n';
const AFTER = `
console.log(JSON.stringify({ memories, complete: freshness?.complete, turns, forgotten, first, again }));
await tailwater.close();
`;

describe('the guide to memory', () => {
  test('has code that compiles and runs with the package as it is published, and requests that a server takes', {
    timeout: SLOW_MS,
  }, async () => {
    const app = docs.shell.cwd;
    await installBuilt(app);
    const blocks = fencedBlocks(GUIDE);
    const code = blocks.filter(({ language }) => language === 'ts').map(block => block.text);
    await writeFile(join(app, 'guide.ts'), BEFORE + code.join('\n') + AFTER);
    await typeCheck(app, ['guide.ts']);
    const { code: status, stdout, stderr } = await docs.shell.run(`'${process.execPath}' guide.ts`);
    expect(status, stderr).toBe(0);
    const shown = JSON.parse(stdout);
    expect(shown.memories.map(({ text }: { text: string }) => text)).toEqual([
      'Ann moved to Bergen.',
      'Ann is allergic to nuts.',
    ]);
    expect(shown).toMatchObject({ complete: true, forgotten: 1 });
    expect(shown.turns.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant']);
    expect(shown.first).toMatchObject({ applied: true, position: 0, result: 'Booked.' });
    expect(shown.again).toMatchObject({ applied: false, position: 0, result: 'Booked.' });

    const tailwater = await Tailwater.open({ dataDir: join(app, '.tailwater'), compaction: { auto: false } });
    await using server = await startServer(tailwater.engine);
    const [request] = blocks.filter(({ language }) => language === 'json');
    const stepped = await server.post('/v1/steps', request.text);
    expect(await stepped.json()).toMatchObject({ applied: true, position: 0, result: 'seen' });
    const path = /`GET (\/v1\/steps\?[^`]+)`/.exec(GUIDE)![1];
    expect(await (await server.fetch(path)).json()).toMatchObject({ position: 0, result: 'Booked.' });
    expect((await tailwater.read('replies')).records).toHaveLength(2);
    await tailwater.close();
  });

  test('names files that exist', () => {
    expect(relativeLinks(GUIDE).filter(target => !existsSync(join(ROOT, 'docs', target)))).toEqual([]);
  });
});
