import { generateText, isStepCount } from 'ai';
import { aiTools } from '../../../src/adapters/ai-sdk/index.ts';
import { featureView, sum, type TailwaterApi, topK } from '../../../src/index.ts';
import { type Story, seen, tell } from '../common/story.ts';
import { chatModel } from './language-model.ts';
import { shopperScript } from './script.ts';

/** A shopping agent whose advice follows what the customer does: features of the last day, up to the second. */
const SYSTEM = `You advise customers of a shop. Read the feature view "shopper", then search the stream "products" (fields category, price, stock), and offer one that is in stock and within what is left of the budget, with its [id].`;
const QUESTION = 'What should customer "ada" buy next, with a budget of 200 a day?';

const shopper = featureView('shopper', {
  source: 'actions',
  entity: 'customer',
  features: {
    top_categories: topK('category', 2).over('24h'),
    spent_24h: sum('paid').over('24h').default(0),
  },
});

async function load(api: TailwaterApi): Promise<void> {
  await api.createStream('actions', { kind: 'append' });
  await api.createStream('products', { kind: 'upsert', key: 'id', search: { fields: ['name', 'category'] } });
  const products = [
    ['P-1', 'reading lamp', 'lamps', 45],
    ['P-2', 'floor lamp', 'lamps', 150],
    ['P-3', 'rain jacket', 'jackets', 120],
    ['P-4', 'wind jacket', 'jackets', 40],
  ] as const;
  await api.append(
    'products',
    products.map(([id, name, category, price]) => ({ value: { id, name, category, price, stock: 5 } })),
  );
  await api.features.apply(shopper);
  await act(api, 'lamps', 'lamps', 'jackets');
}

function act(api: TailwaterApi, ...categories: string[]): Promise<unknown> {
  return api.append(
    'actions',
    categories.map(category => ({ value: { customer: 'ada', category } })),
  );
}

export async function shopping({ api, model, say }: Story): Promise<void> {
  await load(api);
  const tools = await aiTools(api, { names: ['get_features', 'search'] });
  const ask = async (): Promise<void> => {
    say(`\nagent    ${QUESTION}`);
    const { text, steps } = await generateText({
      model: chatModel(model),
      system: SYSTEM,
      prompt: QUESTION,
      tools,
      stopWhen: isStepCount(6),
    });
    for (const { toolName, output } of steps.flatMap(step => step.toolResults)) say(seen(toolName, String(output)));
    say(`   answer   ${text}`);
  };
  await ask();
  say('\n… ada buys the floor lamp, and looks at jackets …');
  await api.append('actions', [{ value: { customer: 'ada', category: 'lamps', paid: 150 } }]);
  await act(api, 'jackets', 'jackets', 'jackets');
  await ask();
}

if (import.meta.main) await tell(shopperScript, shopping);
