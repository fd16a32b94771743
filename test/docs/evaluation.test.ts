import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commandsOf, fencedBlocks } from './markdown.ts';
import { ROOT, useShell } from './shell.ts';

const GUIDE = readFileSync(join(ROOT, 'docs', 'EVALUATION.md'), 'utf8');
const SLOW_MS = 120_000;

const docs = useShell();

describe('the guide to evaluation', () => {
  test('is right, command by command', { timeout: SLOW_MS }, async () => {
    const printed: string[] = [];
    for (const command of fencedBlocks(GUIDE).flatMap(commandsOf)) {
      const done = await docs.shell.run(command);
      expect(done.code, `${command}\n${done.stderr}`).toBe(0);
      if (command.startsWith('npx')) printed.push(done.stdout);
    }
    const [table, json] = printed;
    const columns = [...GUIDE.matchAll(/^\| `([A-Za-z]+\d*)/gm)].map(match => match[1]);
    expect(columns).toEqual(['nDCG', 'recall', 'MRR', 'COMPLETE', 'TOKENS', 'p50']);
    for (const column of columns) expect(table).toContain(column);
    expect(table).toMatch(/^hybrid 2:1 +1\.0000 /m);
    expect(JSON.parse(json).manners).toHaveLength(2);
  });
});
