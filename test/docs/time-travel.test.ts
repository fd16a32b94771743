import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@lancedb/lancedb';
import { describe, expect, test } from 'vitest';
import { commandsOf, fencedBlocks, relativeLinks } from './markdown.ts';
import { type Done, ROOT, useShell } from './shell.ts';

const GUIDE = readFileSync(join(ROOT, 'docs', 'TIME-TRAVEL.md'), 'utf8');
/** About ten processes, one of which waits for the grace time of readers. */
const SLOW_MS = 300_000;

const docs = useShell();

/** What each command of the guide has to show, in its order. */
const EXPECTED: readonly [command: RegExp, check: (done: Done) => void | Promise<void>][] = [
  [/^npx tailwater streams create /, () => {}],
  [/^printf /, () => {}],
  [/^npx tailwater ingest prices.ndjson /, () => {}],
  [/^npx tailwater tag create /, ({ stdout }) => expect(stdout).toMatch(/^Tagged prices as before-sale: 2 rows, as of /)],
  [/^echo /, () => {}],
  // On a slow machine a second has passed by now: what was superseded has left the table already.
  [/^npx tailwater compact /, ({ stdout }) => expect(stdout).toMatch(/^prices: 2 rows, [01] superseded/)],
  [/^npx tailwater collect$/, () => {}],
  [/ --as-of tag:before-sale$/, ({ stdout }) => expect(pricesIn(stdout)).toEqual([10, 20])],
  [/^npx tailwater query prices chair$/, ({ stdout }) => expect(pricesIn(stdout)).toEqual([7, 20])],
  [/^npx tailwater tag list /, openElsewhere],
  [/^npx tailwater tag delete /, ({ stdout }) => expect(stdout).toBe('Deleted tag before-sale of prices.\n')],
];

describe('the guide to time travel', () => {
  test('is right, command by command: a tag survives collection, and LanceDB opens the same rows', {
    timeout: SLOW_MS,
  }, async () => {
    const commands = fencedBlocks(GUIDE).flatMap(commandsOf);
    expect(commands).toHaveLength(EXPECTED.length);
    for (const [at, command] of commands.entries()) {
      const [pattern, check] = EXPECTED[at];
      expect(command).toMatch(pattern);
      const done = await docs.shell.run(command);
      expect(done.code, `${command}\n${done.stdout}${done.stderr}`).toBe(0);
      await check(done);
    }
  });

  test('names files that exist', () => {
    expect(relativeLinks(GUIDE).filter(target => !existsSync(join(ROOT, 'docs', target)))).toEqual([]);
  });
});

function pricesIn(output: string): number[] {
  return [...output.matchAll(/"price":\s*(\d+)/g)].map(match => Number(match[1])).sort((a, b) => a - b);
}

async function openElsewhere({ stdout }: Done): Promise<void> {
  const [, version, path] = /before-sale\s+\S+\s+2\s+(\d+)\s+(\S+)\/rows\.lance/.exec(stdout)!;
  const table = await (await connect(path)).openTable('rows');
  await table.checkout(Number(version));
  const rows = await table.query().select(['price']).toArray();
  expect(rows.map(row => Number(row.price)).sort((a, b) => a - b)).toEqual([10, 20]);
}
