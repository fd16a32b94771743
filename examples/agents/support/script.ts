import { type Decision, resultOf, type Talk, valuesOf } from '../model/script.ts';

/** The model of this story without a key: looks up the order, its tickets and the policy, and says what they say together. */
export function supportScript(talk: Talk): Decision {
  const order = /O-\d+/.exec(talk.question)?.[0] ?? 'O-0';
  if (resultOf(talk, 'get_row') === undefined) {
    return {
      calls: [
        { name: 'get_row', arguments: { stream: 'orders', key: order } },
        { name: 'recent_events', arguments: { stream: 'tickets', filter: { order }, limit: 3 } },
        { name: 'search_policies', arguments: { query: talk.question } },
      ],
    };
  }
  const [row] = valuesOf(talk, 'get_row', 'rows');
  if (row === undefined) return { text: `I cannot find order ${order}.` };
  const [ticket] = valuesOf(talk, 'recent_events', 'events');
  const policies = (resultOf(talk, 'search_policies')?.hits ?? []) as { id: string; text: string }[];
  const policy = policies.find(({ id }) => id.startsWith(row.state === 'delivered' ? 'returns' : 'lost'));
  const says = ticket === undefined ? 'The customer has not written.' : `The customer wrote: “${ticket.text}”`;
  const rule = policy === undefined ? 'There is no policy for this.' : `${policy.text} [${policy.id}]`;
  return { text: `Order ${order} (${row.item}) is ${row.state}. ${says} ${rule}` };
}
