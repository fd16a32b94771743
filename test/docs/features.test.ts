import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commandsOf, fencedBlocks } from './markdown.ts';
import { ROOT, useShell } from './shell.ts';

/** Some fifteen processes. */
const SLOW_MS = 300_000;
const docs = useShell();

/** What a command of the guide has to print; those without a line here only have to succeed. */
const PRINTED: readonly [command: RegExp, output: RegExp][] = [
  [/--save spring$/, /^train.ndjson: 2 rows of spending\.\n$/],
  [/datasets list$/, /^DATASET .*\nspring +spending@[0-9a-f]{16} +2 /],
  [/datasets rebuild/, /^again.ndjson: 2 rows, the same bytes as saved\.\n$/],
  [/features skew/, /^spending: 0 differences in 4 values of 2 answers\.\n$/],
  [/features lint/, /^label_event_in_window: spending\.spend_5m \(1 rows, such as 0\)/],
  [/features report/, /^FEATURE .*\nspend_5m +100\.0% +50\.0%.*\norders +0\.0% +0\.0% /],
];

describe('docs/FEATURES.md', () => {
  test('shows commands that do what it says', { timeout: SLOW_MS }, async () => {
    const blocks = fencedBlocks(readFileSync(join(ROOT, 'docs/FEATURES.md'), 'utf8'));
    const commands = blocks.filter(({ language }) => language === 'sh').flatMap(commandsOf);
    const shown = new Set<RegExp>();
    for (const command of commands) {
      const { code, stdout, stderr } = await docs.shell.run(command);
      expect(code, `${command}\n${stdout}${stderr}`).toBe(0);
      for (const [pattern, output] of PRINTED) {
        if (!pattern.test(command)) continue;
        shown.add(pattern);
        expect(stdout, command).toMatch(output);
      }
    }
    expect(shown.size).toBe(PRINTED.length);
    expect(readFileSync(join(docs.shell.cwd, 'report.svg'), 'utf8')).toContain('spend_5m');
  });
});
