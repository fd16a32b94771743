import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commandsOf, fencedBlocks } from './markdown.ts';
import { ROOT, useShell } from './shell.ts';

const GUIDE = readFileSync(join(ROOT, 'docs', 'LIVE.md'), 'utf8');
const SLOW_MS = 300_000;

const docs = useShell();

describe('the guide to live answers', () => {
  test('is right, command by command', { timeout: SLOW_MS }, async () => {
    const shown: string[] = [];
    const commands = fencedBlocks(GUIDE)
      .filter(({ language }) => language === 'sh')
      .flatMap(commandsOf);
    for (const command of commands) {
      const done = await docs.shell.run(command);
      expect(done.code, `${command}\n${done.stdout}${done.stderr}`).toBe(0);
      if (command.includes('--times')) shown.push(done.stdout);
    }
    expect(shown).toHaveLength(2);
    expect(shown[0]).toMatch(/1 +[\d.]+ +tail .*checkout.*1 hit; complete/s);
    expect(shown[1]).toMatch(/ 0:0 .*"service":"checkout"/);
  });
});
