import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TOOLS } from '../../src/tools/index.ts';
import { commandsOf, fencedBlocks, relativeLinks } from './markdown.ts';
import { ROOT, useShell } from './shell.ts';

const GUIDE = readFileSync(join(ROOT, 'docs', 'MCP.md'), 'utf8');
const SLOW_MS = 300_000;

const docs = useShell();

describe('the guide to MCP', () => {
  test('is right, command by command', { timeout: SLOW_MS }, async () => {
    const shown: string[] = [];
    for (const command of fencedBlocks(GUIDE).flatMap(commandsOf)) {
      // The pipe stays open for as long as a slow machine may need to answer.
      const done = await docs.shell.run(command.replace('sleep 3', 'sleep 20'));
      expect(done.code, `${command}\n${done.stdout}${done.stderr}`).toBe(0);
      shown.push(done.stdout);
    }
    expect(shown[0]).toMatch(/Claude Desktop.*Cursor.*VS Code/s);
    expect(JSON.parse(shown[1])).toHaveLength(5);
    const answers = shown
      .at(-1)!
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(answers.map(({ id }) => id)).toEqual([1, 2]);
    expect(answers[1].result.structuredContent.hits[0].value.text).toBe('The lock keeper opens at noon');
  });

  test('names every tool, and files that exist', () => {
    for (const { name } of TOOLS) expect(GUIDE).toContain(`\`${name}\``);
    expect(relativeLinks(GUIDE).filter(target => !existsSync(join(ROOT, 'docs', target)))).toEqual([]);
  });
});
