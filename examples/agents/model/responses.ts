import { textOf } from './chat.ts';
import type { Decision, Talk, ToolResult } from './script.ts';

type Item =
  | { type?: 'message'; role: string; content: unknown }
  | { type: 'function_call'; call_id: string; name: string; arguments: string }
  | { type: 'function_call_output'; call_id: string; output: unknown };

export interface ResponsesRequest {
  stream?: boolean;
  instructions?: string;
  tools?: { name?: string }[];
  input: string | Item[];
}

export function ofResponses({ instructions = '', tools = [], input }: ResponsesRequest): Talk {
  const items: Item[] = typeof input === 'string' ? [{ role: 'user', content: input }] : input;
  const asked = items.findLastIndex(item => 'role' in item && item.role === 'user');
  const calls = new Map(items.flatMap(item => (item.type === 'function_call' ? [[item.call_id, item] as const] : [])));
  const results = items.slice(asked + 1).flatMap((item): ToolResult[] => {
    const call = item.type === 'function_call_output' ? calls.get(item.call_id) : undefined;
    if (item.type !== 'function_call_output' || call === undefined) return [];
    return [{ name: call.name, arguments: JSON.parse(call.arguments), output: textOf(item.output) }];
  });
  const question = items[asked];
  return {
    system: instructions,
    question: question !== undefined && 'content' in question ? textOf(question.content) : '',
    tools: tools.flatMap(({ name }) => name ?? []),
    results,
  };
}

export function responseAnswer(id: string, decision: Decision): object {
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: 0,
    status: 'completed',
    model: 'scripted',
    output: itemsOf(id, decision),
  };
}

export function responseEvents(id: string, decision: Decision): { type: string }[] {
  const started = { id: `resp_${id}`, object: 'response', created_at: 0, status: 'in_progress', model: 'scripted', output: [] };
  const events: Record<string, unknown>[] = [{ type: 'response.created', response: started }];
  for (const [output_index, item] of itemsOf(id, decision).entries()) {
    const empty = item.type === 'message' ? { ...item, content: [] } : { ...item, arguments: '' };
    const at = { item_id: item.id, output_index };
    events.push({ type: 'response.output_item.added', output_index, item: empty });
    if (item.type === 'message') {
      const place = { ...at, content_index: 0 };
      const [part] = item.content;
      events.push({ type: 'response.content_part.added', ...place, part: { ...part, text: '' } });
      for (const delta of part.text.match(/\S+\s*/g) ?? []) events.push({ type: 'response.output_text.delta', ...place, delta });
      events.push({ type: 'response.output_text.done', ...place, text: part.text });
      events.push({ type: 'response.content_part.done', ...place, part });
    } else {
      events.push({ type: 'response.function_call_arguments.delta', ...at, delta: item.arguments });
      events.push({ type: 'response.function_call_arguments.done', ...at, arguments: item.arguments });
    }
    events.push({ type: 'response.output_item.done', output_index, item });
  }
  events.push({ type: 'response.completed', response: responseAnswer(id, decision) });
  return events.map((event, sequence_number) => ({ ...event, sequence_number }) as unknown as { type: string });
}

type OutputItem =
  | {
      type: 'message';
      id: string;
      role: 'assistant';
      status: string;
      content: { type: string; text: string; annotations: never[] }[];
    }
  | { type: 'function_call'; id: string; call_id: string; name: string; arguments: string; status: string };

function itemsOf(id: string, { calls, text }: Decision): OutputItem[] {
  if (calls === undefined) {
    const content = [{ type: 'output_text', text, annotations: [] }];
    return [{ type: 'message', id: `msg_${id}`, role: 'assistant', status: 'completed', content }];
  }
  return calls.map((call, at) => ({
    type: 'function_call' as const,
    id: `fc_${id}_${at}`,
    call_id: `call_${id}_${at}`,
    name: call.name,
    arguments: JSON.stringify(call.arguments),
    status: 'completed',
  }));
}
