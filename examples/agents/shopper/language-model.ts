import type { wrapLanguageModel } from 'ai';
import OpenAI from 'openai';
import type { ModelPlace } from '../common/story.ts';

/** What the AI SDK takes for a model. */
type Model = Parameters<typeof wrapLanguageModel>[0]['model'];
type Call = Parameters<Model['doGenerate']>[0];
type Result = Awaited<ReturnType<Model['doGenerate']>>;
type ChatMessage = OpenAI.ChatCompletionMessageParam;

/** As much of a provider as `generateText` needs, over Chat Completions. Where `@ai-sdk/openai` is installed, its `openai.chat(…)` is this and more. */
export function chatModel({ baseURL, apiKey, model }: ModelPlace): Model {
  const client = new OpenAI({ baseURL, apiKey });
  return {
    specificationVersion: 'v4',
    provider: 'openai-compatible',
    modelId: model,
    supportedUrls: {},
    async doGenerate({ prompt, tools = [], abortSignal }: Call): Promise<Result> {
      const offered = tools.flatMap(tool => (tool.type === 'function' ? [toChatTool(tool)] : []));
      const request = { model, messages: prompt.flatMap(toMessages), ...(offered.length === 0 ? {} : { tools: offered }) };
      const { choices } = await client.chat.completions.create(request, { ...(abortSignal && { signal: abortSignal }) });
      return toResult(choices[0].message);
    },
    doStream() {
      throw new Error('This provider does not stream.');
    },
  } as Model;
}

function toChatTool(tool: { name: string; description?: string; inputSchema: object }): OpenAI.ChatCompletionFunctionTool {
  const { name, description = '', inputSchema } = tool;
  return { type: 'function', function: { name, description, parameters: inputSchema as Record<string, unknown> } };
}

function toMessages(message: Call['prompt'][number]): ChatMessage[] {
  if (message.role === 'system') return [{ role: 'system', content: message.content }];
  if (message.role === 'tool') {
    return message.content.flatMap((part): ChatMessage[] =>
      part.type === 'tool-result' ? [{ role: 'tool', tool_call_id: part.toolCallId, content: outputOf(part.output) }] : [],
    );
  }
  const content = message.content.map(part => (part.type === 'text' ? part.text : '')).join('');
  if (message.role === 'user') return [{ role: 'user', content }];
  const calls = message.content.flatMap(part => (part.type === 'tool-call' ? [part] : []));
  const tool_calls = calls.map(({ toolCallId, toolName, input }) => ({
    id: toolCallId,
    type: 'function' as const,
    function: { name: toolName, arguments: JSON.stringify(input) },
  }));
  return [{ role: 'assistant', content, ...(tool_calls.length === 0 ? {} : { tool_calls }) }];
}

function outputOf(output: { type: string; value?: unknown }): string {
  return typeof output.value === 'string' ? output.value : JSON.stringify(output.value ?? null);
}

function toResult({ content, tool_calls: calls = [] }: OpenAI.ChatCompletionMessage): Result {
  const wanted = calls.flatMap(call =>
    call.type === 'function'
      ? [{ type: 'tool-call' as const, toolCallId: call.id, toolName: call.function.name, input: call.function.arguments }]
      : [],
  );
  const unknown = { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined };
  return {
    content: wanted.length > 0 ? wanted : [{ type: 'text', text: content ?? '' }],
    finishReason: { unified: wanted.length > 0 ? 'tool-calls' : 'stop', raw: undefined },
    usage: { inputTokens: unknown, outputTokens: { total: undefined, text: undefined, reasoning: undefined } },
    warnings: [],
  };
}
