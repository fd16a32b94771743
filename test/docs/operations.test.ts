import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ERROR_KINDS } from '../../src/base/index.ts';
import { commandsOf, fencedBlocks, inlineCode, relativeLinks } from './markdown.ts';
import { ROOT, useShell } from './shell.ts';

const GUIDE = readFileSync(join(ROOT, 'docs', 'OPERATIONS.md'), 'utf8');
/** On S3 with Redis only. */
const ELSEWHERE = ['tailwater_redis_up', 'tailwater_object_store_cost_usd', 'tailwater_rate_limits_shared'];

const docs = useShell();

describe('the guide to operations', () => {
  test('is right, command by command, also on the backup that it takes', { timeout: 300_000 }, async () => {
    const shown: string[] = [];
    for (const command of fencedBlocks(GUIDE)
      .filter(({ language }) => language === 'sh')
      .flatMap(commandsOf)) {
      const done = await docs.shell.run(command);
      expect(done.code, `${command}\n${done.stdout}${done.stderr}`).toBe(0);
      shown.push(done.stdout);
    }
    const [, , , checked, taken, verified] = shown;
    expect(taken).toMatch(/^Backed up .* the log up to segment \d+\. Verified\.$/m);
    for (const report of [checked, verified]) expect(report).toContain('Everything is as it should be.');
  });

  test('names metrics, codes and guides that exist', { timeout: 60_000 }, async () => {
    const server = docs.shell.background('npx tailwater start --port 0 --json');
    const { url } = JSON.parse(await server.line()) as { url: string };
    const metrics = await (await fetch(`${url}/metrics`)).text();
    await server.interrupt();
    const code = inlineCode(GUIDE);
    const named = code.filter(text => text.startsWith('tailwater_') && !ELSEWHERE.includes(text));
    expect(named.length).toBeGreaterThan(5);
    for (const name of named) expect(metrics, name).toContain(`\n${name}`);
    for (const text of code.filter(each => /^TW_\w+$/.test(each))) expect(Object.keys(ERROR_KINDS)).toContain(text);
    expect(relativeLinks(GUIDE).filter(target => !existsSync(join(ROOT, 'docs', target)))).toEqual([]);
  });
});
