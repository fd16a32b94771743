import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import OpenAI from 'openai';
import type { TailwaterApi } from '../../../src/index.ts';
import { type Story, seen, tell } from '../common/story.ts';
import { desktopScript } from './script.ts';

/** What a desktop client does: it knows no Tailwater, only a server of the Model Context Protocol and its tools. */
const SYSTEM = `You are somebody's assistant. Search the stream "notes", recall what you were told (subject "me"), and remember what you are told to.`;
const QUESTION = 'When does the ferry to the island leave?';
const MAX_TURNS = 6;

async function load(api: TailwaterApi): Promise<void> {
  await api.createStream('notes', { kind: 'upsert', key: 'id', search: { fields: ['text'] } });
  await api.append('notes', [
    { value: { id: 'n1', text: 'The ferry to the island leaves at 9 from pier 4.' } },
    { value: { id: 'n2', text: 'The dentist is at noon on Friday.' } },
  ]);
}

/** The loop of any client: offer the server's tools to the model, run what it calls, until it answers. */
async function converse(mcp: Client, { model, say }: Story, question: string): Promise<string> {
  const openai = new OpenAI({ baseURL: model.baseURL, apiKey: model.apiKey });
  const { tools } = await mcp.listTools();
  const offered = tools.map(({ name, description = '', inputSchema }) => ({
    type: 'function' as const,
    function: { name, description, parameters: inputSchema as Record<string, unknown> },
  }));
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    { role: 'system', content: SYSTEM },
    { role: 'user', content: question },
  ];
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    const { choices } = await openai.chat.completions.create({ model: model.model, messages, tools: offered });
    const { message } = choices[0];
    messages.push(message);
    if (message.tool_calls === undefined) return message.content ?? '';
    for (const call of message.tool_calls) {
      if (call.type !== 'function') continue;
      const { content } = await mcp.callTool({ name: call.function.name, arguments: JSON.parse(call.function.arguments) });
      const text = content.map(block => (block.type === 'text' ? block.text : '')).join('\n');
      say(seen(call.function.name, text));
      messages.push({ role: 'tool', tool_call_id: call.id, content: text });
    }
  }
  return `The model still calls tools after ${MAX_TURNS} answers.`;
}

export async function desktop(story: Story): Promise<void> {
  const { api, url, say } = story;
  await load(api);
  const mcp = new Client({ name: 'desktop-story', version: '1.0.0' });
  await mcp.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)));
  try {
    for (const question of [QUESTION, 'Remember: I get seasick on the ferry, take the tablets before.', QUESTION]) {
      say(`\nyou      ${question}`);
      say(`   answer   ${await converse(mcp, story, question)}`);
      if (question !== QUESTION) {
        await api.append('notes', [
          { value: { id: 'n1', text: 'The ferry to the island leaves at 11 from pier 2, from today on.' } },
        ]);
        say('\n… the timetable changes …');
      }
    }
  } finally {
    await mcp.close();
  }
}

if (import.meta.main) await tell(desktopScript, desktop);
