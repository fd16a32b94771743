import type { Decision, Talk, ToolResult } from './script.ts';

interface ChatCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

export interface ChatRequest {
  stream?: boolean;
  tools?: { function: { name: string } }[];
  messages: { role: string; content?: unknown; tool_calls?: ChatCall[]; tool_call_id?: string }[];
}

const USAGE = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };

export function ofChat({ messages, tools = [] }: ChatRequest): Talk {
  const asked = messages.findLastIndex(({ role }) => role === 'user');
  const calls = new Map(messages.flatMap(({ tool_calls = [] }) => tool_calls.map(call => [call.id, call.function] as const)));
  const results = messages.slice(asked + 1).flatMap(({ role, tool_call_id, content }): ToolResult[] => {
    const call = calls.get(tool_call_id ?? '');
    if (role !== 'tool' || call === undefined) return [];
    return [{ name: call.name, arguments: JSON.parse(call.arguments), output: textOf(content) }];
  });
  const system = messages.filter(({ role }) => role === 'system').map(({ content }) => textOf(content));
  return {
    system: system.join('\n\n'),
    question: textOf(messages[asked]?.content),
    tools: tools.map(tool => tool.function.name),
    results,
  };
}

export function chatAnswer(id: string, decision: Decision): object {
  const message = { role: 'assistant', content: decision.text ?? null, ...callsOf(id, decision) };
  const choice = { index: 0, message, finish_reason: reasonOf(decision), logprobs: null };
  return { id: `chatcmpl-${id}`, object: 'chat.completion', created: 0, model: 'scripted', choices: [choice], usage: USAGE };
}

/** A word at a time, and every call whole. */
export function chatChunks(id: string, decision: Decision): object[] {
  const calls = callsOf(id, decision).tool_calls?.map((call, index) => ({ index, ...call }));
  const words = decision.text?.match(/\S+\s*/g) ?? [];
  const deltas: object[] = [{ role: 'assistant' }, ...words.map(content => ({ content }))];
  if (calls !== undefined) deltas.push({ tool_calls: calls });
  const chunk = (delta: object, finish_reason: string | null) => ({
    id: `chatcmpl-${id}`,
    object: 'chat.completion.chunk',
    created: 0,
    model: 'scripted',
    choices: [{ index: 0, delta, finish_reason }],
  });
  return [...deltas.map(delta => chunk(delta, null)), chunk({}, reasonOf(decision))];
}

function callsOf(id: string, { calls }: Decision): { tool_calls?: ChatCall[] } {
  if (calls === undefined) return {};
  const tool_calls = calls.map((call, at) => ({
    id: `call_${id}_${at}`,
    type: 'function' as const,
    function: { name: call.name, arguments: JSON.stringify(call.arguments) },
  }));
  return { tool_calls };
}

function reasonOf({ calls }: Decision): string {
  return calls === undefined ? 'stop' : 'tool_calls';
}

/** Content is a text, or parts of which some have a text. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map(part => (typeof part.text === 'string' ? part.text : '')).join('');
}
