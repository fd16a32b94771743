import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { installBuilt, typeCheck } from './built-package.ts';
import { fencedBlocks, relativeLinks } from './markdown.ts';
import { ROOT, useShell } from './shell.ts';

const GUIDE = readFileSync(join(ROOT, 'docs', 'LANGCHAIN.md'), 'utf8');
const SLOW_MS = 180_000;

const docs = useShell();

/** What the guide leaves to its reader: embeddings, and an end. */
const BEFORE = `import { SyntheticEmbeddings } from '@langchain/core/utils/testing';
declare const console: { log(text: string): void };
const embeddings = new SyntheticEmbeddings({ vectorSize: 32 });
`;
const AFTER = `
const saved = await checkpointer.getTuple({ configurable: { thread_id: 'none' } });
console.log(JSON.stringify({ near, found, tier, ageMs, complete: freshness.complete, token, saved: saved ?? null, said, tools: tools.map(({ name }) => name) }));
await client.close();
`;

describe('the guide to LangChain', () => {
  test('has code that compiles and runs with the package as it is published', { timeout: SLOW_MS }, async () => {
    const app = docs.shell.cwd;
    await installBuilt(app, ['@langchain']);
    const code = fencedBlocks(GUIDE).map(block => block.text);
    await writeFile(join(app, 'guide.ts'), BEFORE + code.join('\n') + AFTER);
    await typeCheck(app, ['guide.ts']);
    const { code: status, stdout, stderr } = await docs.shell.run(`'${process.execPath}' guide.ts`);
    expect(status, stderr).toBe(0);
    const shown = JSON.parse(stdout);
    expect(shown).toMatchObject({ tier: 'tail', complete: true, saved: null });
    expect(shown.near.id).toBe('locks');
    expect(shown.tools).toEqual(expect.arrayContaining(['search', 'get_row', 'recall']));
    expect(shown.said).toContain('lock keeper');
    expect(shown.found.metadata.tailwater).toMatchObject({ stream: 'guides', id: 'locks', token: shown.token });
  });

  test('names files that exist', () => {
    expect(relativeLinks(GUIDE).filter(target => !existsSync(join(ROOT, 'docs', target)))).toEqual([]);
  });
});
