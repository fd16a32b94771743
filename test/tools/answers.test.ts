import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/base/index.ts';
import { TailwaterError } from '../../src/base/index.ts';
import type { ContextInfo } from '../../src/context/index.ts';
import { callTool, findTool, listTools, safeJson, TOOLS, type Tool, type ToolApi } from '../../src/tools/index.ts';

const NO_API = {} as ToolApi;
const LISTING: Omit<Tool, 'run'> = {
  name: 'list',
  title: 'List',
  description: 'A list.',
  inputSchema: {
    type: 'object',
    properties: { of: { type: 'string' }, cursor: { type: 'string' } },
    additionalProperties: false,
  },
  outputSchema: { type: 'object' },
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
};

describe('the text of an answer', () => {
  test('is JSON of one line for any value, in which nothing can end a block or hide', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), value => {
        const text = safeJson(value as JsonValue);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(text).not.toMatch(/[<>`~\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
        expect(text).not.toMatch(/\p{Variation_Selector}/u);
      }),
    );
  });
});

describe('an answer in pages', () => {
  test('gives every item once and in order, each page within the limit, whatever the sizes', async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(sizes, async lengths => {
        const items = lengths.map((length, n) => ({ n, text: '<'.repeat(length / 6) }));
        const asked: (string | null)[] = [];
        const tool: Tool = {
          ...LISTING,
          run: async (_api, _args, asOf) => {
            asked.push(asOf);
            return { members: { token: 't1' }, list: { name: 'items', items }, asOf: 't1' };
          },
        };
        const seen: unknown[] = [];
        let cursor: JsonValue | undefined;
        do {
          const args = { of: 'x', ...(cursor === undefined ? {} : { cursor }) };
          const outcome = await callTool(tool, NO_API, args, { maxResultBytes: 8192 });
          if (!outcome.ok) throw outcome.error;
          expect(Buffer.byteLength(outcome.texts[0])).toBeLessThanOrEqual(8192);
          seen.push(...(outcome.structured.items as JsonObject[]));
          cursor = outcome.structured.cursor;
        } while (cursor !== undefined);
        const expected = items.map(item => (safeJson(item).length + 1 > 8192 - 2300 ? expect.anything() : item));
        expect(seen).toEqual(expected);
        expect(asked.slice(1).every(asOf => asOf === 't1')).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('does not go on with a cursor of other arguments, or a made up one', async () => {
    const items = Array.from({ length: 100 }, () => 'x'.repeat(500));
    const tool: Tool = { ...LISTING, run: async () => ({ members: {}, list: { name: 'items', items }, asOf: null }) };
    const first = await callTool(tool, NO_API, { of: 'a' });
    if (!first.ok) throw first.error;
    const { cursor } = first.structured;
    for (const args of [
      { of: 'b', cursor },
      { of: 'a', cursor: 'e30' },
      { of: 'a', cursor: '' },
      { of: 'a', cursor: `${cursor}A` },
    ]) {
      const outcome = await callTool(tool, NO_API, args);
      expect(outcome.ok ? 'went on' : outcome.error.code).toBe('TW_BAD_TOKEN');
    }
    expect((await callTool(tool, NO_API, { cursor, of: 'a' })).ok).toBe(true);
  });
});

describe('a call', () => {
  test('never rejects, whatever a model sends to any tool: errors have a code and say what to do', async () => {
    const failing = new Proxy({} as ToolApi, {
      get: () => () => Promise.reject(new TailwaterError('TW_BUSY', { retryAfterMs: 1000 })),
    });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...TOOLS), fc.jsonValue(), async (tool, args) => {
        const outcome = await callTool(tool, failing, args);
        if (outcome.ok) throw new Error('An API that always fails cannot answer.');
        const { error } = JSON.parse(outcome.texts[0]);
        expect(error.code).toMatch(/^TW_/);
        expect(error.detail.length * error.action.length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('the table of tools', () => {
  test('has names that every protocol takes, each once, also of contexts with any names', async () => {
    const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name, { maxLength: 20 }), async names => {
        const infos = names.map(each => ({ name: each, definition: { context: {} } }) as ContextInfo);
        const api = { contexts: { list: async () => infos } } as unknown as ToolApi;
        const tools = await listTools(api);
        expect(new Set(tools.map(tool => tool.name)).size).toBe(TOOLS.length + names.length);
        for (const tool of tools) {
          expect(tool.name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
          expect((await findTool(api, tool.name)).title).toBe(tool.title);
        }
      }),
    );
  });
});
