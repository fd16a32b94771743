import { type Decision, resultOf, type Talk, valuesOf } from '../model/script.ts';

interface Features {
  top_categories: { value: string; count: number }[] | null;
  spent_24h: number;
}

/** The model of this story without a key: what the customer looks at most, within what is left of the budget. */
export function shopperScript(talk: Talk): Decision {
  const customer = /customer "([^"]+)"/.exec(talk.question)?.[1] ?? '';
  const budget = Number(/budget of (\d+)/.exec(talk.question)?.[1] ?? 0);
  const features = resultOf(talk, 'get_features');
  if (features === undefined) {
    return { calls: [{ name: 'get_features', arguments: { view: 'shopper', entities: [customer] } }] };
  }
  const { top_categories, spent_24h } = (features.values as { values: Features }[])[0].values;
  const category = top_categories?.[0]?.value ?? 'lamps';
  const left = budget - spent_24h;
  if (resultOf(talk, 'search') === undefined) {
    const filter = { category, price: { $lte: left }, stock: { $gt: 0 } };
    return { calls: [{ name: 'search', arguments: { stream: 'products', text: category, filter, limit: 3 } }] };
  }
  const [best] = valuesOf(talk, 'search', 'hits').sort((a, b) => Number(b.price) - Number(a.price));
  const offer = best === undefined ? 'nothing we have fits' : `take the ${best.name} for ${best.price} [${best.id}]`;
  return { text: `${customer} looks at ${category} and has ${left} left of ${budget}: ${offer}.` };
}
