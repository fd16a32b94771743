import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Script, valuesOf } from '../../examples/agents/model/script.ts';
import { serveModel } from '../../examples/agents/model/server.ts';
import { installBuilt, typeCheck } from './built-package.ts';
import { fencedBlocks, relativeLinks } from './markdown.ts';
import { ROOT, useShell } from './shell.ts';

const GUIDE = readFileSync(join(ROOT, 'docs', 'OPENAI.md'), 'utf8');
const SLOW_MS = 180_000;

const docs = useShell();

/** What the guide leaves to its reader: a model of the AI SDK, which keeps what it is asked, and an end. */
const BEFORE = `import { MockLanguageModelV4 } from 'ai/test';
const unknown = { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined };
const model = new MockLanguageModelV4({
  doGenerate: async () => ({
    content: [{ type: 'text', text: 'From the AI SDK.' }],
    finishReason: { unified: 'stop', raw: undefined },
    usage: { inputTokens: unknown, outputTokens: { total: undefined, text: undefined, reasoning: undefined } },
    warnings: [],
  }),
});
`;
const AFTER = `
const context = JSON.stringify(model.doGenerateCalls.at(-1)!.prompt[0]);
const offered = model.doGenerateCalls[0].tools!.map(({ name }) => name);
console.log(JSON.stringify({ text, steps: steps.length, remote, offered, context, answers: [answer.text, short.text] }));
await tailwater.close();
`;

/** Searches, then says what was found. */
const script: Script = talk =>
  talk.results.length === 0
    ? { calls: [{ name: 'search', arguments: { stream: 'tickets', text: 'lost parcel' } }] }
    : { text: String(valuesOf(talk, 'search', 'hits')[0].text) };

describe('the guide to OpenAI and the AI SDK', () => {
  test('has code that compiles and runs with the package as it is published', { timeout: SLOW_MS }, async () => {
    const app = docs.shell.cwd;
    await installBuilt(app, ['openai', 'ai']);
    const code = fencedBlocks(GUIDE).map(block => block.text);
    await writeFile(join(app, 'guide.ts'), BEFORE + code.join('\n') + AFTER);
    await typeCheck(app, ['guide.ts']);
    const server = await serveModel(script);
    try {
      const variables = `OPENAI_API_KEY=none OPENAI_BASE_URL='${server.baseURL}'`;
      const { code: status, stdout, stderr } = await docs.shell.run(`${variables} '${process.execPath}' guide.ts`);
      expect(status, stderr).toBe(0);
      const lines = stdout.trim().split('\n');
      expect(lines.some(line => /^search \d+$/.test(line))).toBe(true);
      expect(lines.some(line => line.startsWith('replay it by '))).toBe(true);
      const shown = JSON.parse(lines.at(-1)!);
      expect(shown).toMatchObject({ text: 'The parcel is lost.', steps: 1, offered: ['search'] });
      expect(shown.answers).toEqual(['From the AI SDK.', 'From the AI SDK.']);
      expect(shown.context).toContain('The parcel is lost.');
      expect(shown.remote).toMatchObject({ type: 'mcp', server_url: 'https://tailwater.example/mcp' });
    } finally {
      await server.close();
    }
  });

  test('names files that exist', () => {
    expect(relativeLinks(GUIDE).filter(target => !existsSync(join(ROOT, 'docs', target)))).toEqual([]);
  });
});
