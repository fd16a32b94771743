import type { AIMessage, BaseMessage } from '@langchain/core/messages';
import { type StructuredToolInterface, tool } from '@langchain/core/tools';
import { createReactAgent } from '@langchain/langgraph/prebuilt';
import { TailwaterRetriever, tailwaterTools } from '../../../src/adapters/langchain/index.ts';
import type { TailwaterApi } from '../../../src/index.ts';
import { type Story, seen, tell } from '../common/story.ts';
import { OpenAiChat } from './chat-model.ts';
import { supportScript } from './script.ts';

/** A support agent over live orders, tickets and policies. The courier delivers between its two answers. */
const PROMPT = `You answer for a shop. Look up the order, what the customer wrote last and the policies; cite policies by [id]. Streams: orders (by id), tickets (field "order").`;
const QUESTION = 'What is going on with order O-1042, and what can the customer get?';

async function load(api: TailwaterApi): Promise<void> {
  const searched = { search: { fields: ['text'] }, embed: { fields: ['text'] } };
  await api.createStream('orders', { kind: 'upsert', key: 'id' });
  await api.createStream('tickets', { kind: 'append' });
  await api.createStream('policies', { kind: 'upsert', key: 'id', ...searched });
  await api.append('orders', [{ value: { id: 'O-1042', customer: 'Ada', item: 'espresso machine', state: 'shipped' } }]);
  await api.append('tickets', [{ value: { order: 'O-1042', text: 'The parcel has not moved for days. Is it lost?' } }]);
  await api.append('policies', [
    { value: { id: 'lost-parcels', text: 'A parcel that has not arrived after ten days is sent again for free.' } },
    { value: { id: 'returns', text: 'What the customer got can be returned within 30 days of delivery.' } },
    { value: { id: 'invoices', text: 'Invoices come by mail once the order is paid.' } },
  ]);
}

/** LangChain's retriever as one more tool: which policies fit, with where they come from. */
function policySearch(client: TailwaterApi): StructuredToolInterface {
  const retriever = new TailwaterRetriever({ client, stream: 'policies', k: 3 });
  const find = async ({ query }: { query: string }): Promise<string> => {
    const found = await retriever.invoke(query);
    const hits = found.map(({ id, pageContent, metadata }) => ({ id, text: pageContent, ageMs: metadata.tailwater.ageMs }));
    return JSON.stringify({ complete: found.every(({ metadata }) => metadata.tailwater.freshness.complete), hits });
  };
  const schema = { type: 'object', properties: { query: { type: 'string' } }, required: ['query'] } as const;
  return tool(find as (input: unknown) => Promise<string>, {
    name: 'search_policies',
    description: 'Policies of the shop, best first.',
    schema,
  });
}

export async function support({ api, model, say }: Story): Promise<void> {
  await load(api);
  const tools = [...(await tailwaterTools(api, { names: ['get_row', 'recent_events'] })), policySearch(api)];
  const agent = createReactAgent({ llm: new OpenAiChat(model), tools, prompt: PROMPT });
  const ask = async (): Promise<void> => {
    say(`\nagent    ${QUESTION}`);
    const { messages } = await agent.invoke({ messages: [{ role: 'user', content: QUESTION }] });
    for (const line of toolsUsed(messages)) say(line);
    say(`   answer   ${(messages.at(-1) as AIMessage).text}`);
  };
  await ask();
  await api.append('orders', [{ value: { id: 'O-1042', customer: 'Ada', item: 'espresso machine', state: 'delivered' } }]);
  await api.append('tickets', [{ value: { order: 'O-1042', text: 'It came just now, but the tank is cracked.' } }]);
  say('\n… the courier delivers, and the customer writes again …');
  await ask();
}

function toolsUsed(messages: readonly BaseMessage[]): string[] {
  return messages.flatMap(message => (message.type === 'tool' ? [seen(message.name ?? '', message.text)] : []));
}

if (import.meta.main) await tell(supportScript, support);
