import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Block, fencedBlocks } from './markdown.ts';
import { ROOT, useShell } from './shell.ts';

/** Some fifteen processes. */
const SLOW_MS = 300_000;
const blocks = fencedBlocks(readFileSync(join(ROOT, 'docs/SQL.md'), 'utf8'));

const docs = useShell();

/** The time of an answer is another one every time; times that a query selects stay. */
function comparable(text: string): string {
  return text.replaceAll(/as of \S+Z/g, 'as of <time>').trimEnd();
}

describe('docs/SQL.md', () => {
  test('shows what its commands print, each as it stands', { timeout: SLOW_MS }, async () => {
    const pairs: [Block, Block][] = [];
    for (let at = 0; at < blocks.length; at += 2) {
      expect([blocks[at].language, blocks[at + 1]?.language], `line ${blocks[at].line}`).toEqual(['sh', 'text']);
      pairs.push([blocks[at], blocks[at + 1]]);
    }
    expect(pairs.length).toBeGreaterThan(5);
    const printed: string[] = [];
    for (const [{ text }] of pairs) {
      const { code, stdout } = await docs.shell.run(`exec 2>&1\n${text}`);
      printed.push(code === 0 ? comparable(stdout) : `exit code ${code}: ${stdout}`);
    }
    expect(printed).toEqual(pairs.map(([, { text }]) => comparable(text)));
  });
});
