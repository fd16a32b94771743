import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DocumentAnswer, DocumentPage, QueryAnswer } from '../../src/index.ts';
import { commandsOf, fencedBlocks, relativeLinks } from './markdown.ts';
import { type Background, ROOT, useShell } from './shell.ts';

const GUIDE = readFileSync(join(ROOT, 'docs', 'DOCUMENTS.md'), 'utf8');
/** About a dozen processes. */
const SLOW_MS = 300_000;
const HAS_CURL = (process.env.PATH ?? '').split(':').some(folder => existsSync(join(folder, 'curl')));
const ADDRESS = 'localhost:8787';
const LOCKS = '# Harbour\n\nBoats wait for the tide.\n\n## Locks\n\nThe lock keeper opens at noon.\n';

const docs = useShell();

/** What each command of the guide has to print, in its order. */
const EXPECTED: readonly [command: RegExp, check: (stdout: string) => void][] = [
  [/^mkdir /, () => {}],
  [/^printf .*dawn/, () => {}],
  [/^echo /, () => {}],
  [
    /^npx tailwater ingest guides /,
    stdout => expect(stdout).toBe('guides: 2 documents written (3 chunks added, 0 kept, 0 removed), 0 unchanged.\n'),
  ],
  [/^printf .*noon/, () => {}],
  [/^rm /, () => {}],
  [
    / --delete-missing$/,
    stdout => expect(stdout).toBe('guides: 1 documents written (1 chunks added, 1 kept, 2 removed), 0 unchanged, 1 deleted.\n'),
  ],
  [/^npx tailwater query guides /, checkCitation],
  [/^npx tailwater start$/, () => {}],
  [
    /^curl -X PUT \S+\/handbook /,
    stdout => expect(JSON.parse(stdout).definition.documents).toEqual({ chunkTokens: 200, overlapTokens: 20 }),
  ],
  [
    /^curl -X PUT \S+locks.md /,
    stdout => expect(JSON.parse(stdout)).toMatchObject({ document: 'harbour/locks.md', unchanged: false, chunks: { added: 2 } }),
  ],
  [/^curl -X PUT \S+leave /, stdout => expect(JSON.parse(stdout)).toMatchObject({ document: 'leave', chunks: { added: 1 } })],
  [/^curl -X POST \S+query /, checkFiltered],
  [
    /^curl \S+\/leave$/,
    stdout =>
      expect(JSON.parse(stdout) as DocumentAnswer).toMatchObject({ title: 'Leave', text: '# Leave\n\nThirty days a year.' }),
  ],
  [
    /limit=1'$/,
    stdout => expect((JSON.parse(stdout) as DocumentPage).documents.map(each => each.document)).toEqual(['harbour/locks.md']),
  ],
  [/^curl -X DELETE /, stdout => expect(JSON.parse(stdout)).toMatchObject({ document: 'leave', chunks: { removed: 1 } })],
];

describe('the guide to documents', () => {
  test('is right, command by command', { timeout: SLOW_MS }, async () => {
    const commands = fencedBlocks(GUIDE).flatMap(commandsOf);
    expect(commands).toHaveLength(EXPECTED.length);
    let server: Background | null = null;
    let address = '';
    for (const [at, command] of commands.entries()) {
      const [pattern, check] = EXPECTED[at];
      expect(command).toMatch(pattern);
      if (command === 'npx tailwater start') {
        if (!HAS_CURL) {
          console.info('curl is not on the PATH: the HTTP part of the guide was left out. Install curl to include it.');
          return;
        }
        server = docs.shell.background(`${command} --port 0`);
        address = /http:\/\/(\S+)/.exec(await server.line())![1];
        continue;
      }
      const done = await docs.shell.run(command.replaceAll(ADDRESS, address));
      expect(done.code, `${command}\n${done.stdout}${done.stderr}`).toBe(0);
      check(done.stdout);
    }
    expect(await server!.interrupt()).toBe(0);
  });

  test('names files that exist', () => {
    expect(relativeLinks(GUIDE).filter(target => !existsSync(join(ROOT, 'docs', target)))).toEqual([]);
  });
});

function checkCitation(stdout: string): void {
  const [{ value, source }] = (JSON.parse(stdout) as QueryAnswer).hits;
  expect(source).toMatchObject({ document: 'harbour/locks.md', title: 'Harbour', heading: ['Harbour', 'Locks'] });
  const [{ start, end }] = source!.ranges;
  expect(LOCKS.slice(start, end)).toBe(value.text);
}

function checkFiltered(stdout: string): void {
  const { hits } = JSON.parse(stdout) as QueryAnswer;
  expect(hits.map(hit => [hit.source!.document, hit.source!.url])).toEqual([['leave', 'https://example.com/leave']]);
}
