import { generateText, stepCountIs, wrapLanguageModel } from 'ai';
import { MockLanguageModelV4 } from 'ai/test';
import { describe, expect, test } from 'vitest';
import { aiTools, contextMiddleware } from '../../../src/adapters/ai-sdk/index.ts';
import { tailwaterTools } from '../../../src/adapters/langchain/index.ts';
import type { ContextAnswer } from '../../../src/index.ts';
import { PLACES, withApi } from '../langchain/support.ts';

const USAGE = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};
const says = (text: string) => ({
  content: [{ type: 'text' as const, text }],
  finishReason: { unified: 'stop' as const, raw: undefined },
  usage: USAGE,
  warnings: [],
});
const calls = (toolName: string, input: string) => ({
  content: [{ type: 'tool-call' as const, toolCallId: 'c1', toolName, input }],
  finishReason: { unified: 'tool-calls' as const, raw: undefined },
  usage: USAGE,
  warnings: [],
});

describe.each(PLACES)('the AI SDK, %s', place => {
  test('a model calls a tool, and reads what was written a moment ago', () =>
    withApi(place, async api => {
      await api.createStream('events', { kind: 'append' });
      await api.append('events', [{ value: { user: 'ann', page: 'cart' } }]);
      const answers = [calls('recent_events', '{"stream":"events"}'), says('Ann is in her cart.')];
      const model = new MockLanguageModelV4({ doGenerate: async () => answers.shift()! });
      const { text, steps } = await generateText({
        model,
        tools: await aiTools(api, { names: ['recent_events'] }),
        stopWhen: stepCountIs(4),
        prompt: 'What does Ann do?',
      });
      expect(text).toBe('Ann is in her cart.');
      expect(String(steps[0].toolResults[0].output)).toContain('"page":"cart"');
    }));

  test('the middleware puts the context of the moment before the conversation, for the newest question', () =>
    withApi(place, async api => {
      await api.createStream('help', { kind: 'upsert', key: 'id', search: { fields: ['body'] } });
      await api.append('help', [{ value: { id: 'd1', body: 'Lost parcels are paid back.' } }]);
      const seen: ContextAnswer[] = [];
      const request = { include: { documents: { stream: 'help' } }, budget: { tokens: 800 } };
      const inner = new MockLanguageModelV4({ doGenerate: async () => says('It is paid back.') });
      const model = wrapLanguageModel({
        model: inner,
        middleware: contextMiddleware({ api, request, onContext: answer => seen.push(answer) }),
      });
      await generateText({ model, system: 'Be brief.', prompt: 'My parcels are lost' });
      const { prompt } = inner.doGenerateCalls[0];
      expect(prompt.map(({ role }) => role)).toEqual(['system', 'system', 'user']);
      expect(prompt[1].content).toBe(seen[0].text);
      expect(seen[0].text).toContain('Lost parcels are paid back.');
      const again = await api.context({ ...request, query: 'My parcels are lost', consistency: { asOf: seen[0].token } });
      expect(again.text).toBe(seen[0].text);
    }));

  test('LangChain’s tools are the same table', () =>
    withApi(place, async api => {
      await api.createStream('events', { kind: 'append' });
      await api.append('events', [{ value: { user: 'ann' } }]);
      const [tool] = await tailwaterTools(api, { names: ['recent_events'] });
      expect(await tool.invoke({ stream: 'events', limit: 1 })).toContain('"user":"ann"');
      expect(await tool.invoke({ stream: 'none' })).toContain('TW_STREAM_NOT_FOUND');
    }));
});
