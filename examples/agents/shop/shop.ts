import type { AppendRecord } from '../../../src/index.ts';

/** A generated shop: the same numbers give the same orders and tickets. */
const CUSTOMERS = ['Ada', 'Bela', 'Chidi', 'Dora', 'Emre', 'Fay', 'Goro', 'Hana'];
const ITEMS = ['desk lamp', 'phone charger', 'mechanical keyboard', 'rain jacket', 'espresso machine', 'travel backpack'];
const STATES = ['paid', 'packed', 'shipped', 'delivered'];
const COMPLAINTS = [
  'The parcel has not moved for days and support does not answer.',
  'It arrived with a broken cable; I would like a replacement.',
  'I was charged twice for the same order and want a refund.',
  'The wrong colour came, how do I return it?',
  'The tracking number says the address is unknown.',
];

export function orderId(number: number): string {
  return `O-${1000 + number}`;
}

/** An order moves through its states: the same key, a newer version each time. */
export function orderEvent(step: number): AppendRecord {
  const number = Math.floor(step / 2) % 400;
  const state = STATES[Math.min(STATES.length - 1, Math.floor(step / 2000) + (step % 2))];
  return {
    value: {
      id: orderId(number),
      customer: CUSTOMERS[number % CUSTOMERS.length],
      item: ITEMS[(number * 7) % ITEMS.length],
      amount: 10 + ((number * 37) % 190),
      state,
      text: `Order ${orderId(number)} of ${CUSTOMERS[number % CUSTOMERS.length]}: ${ITEMS[(number * 7) % ITEMS.length]}, ${state}.`,
    },
  };
}

export function ticketEvent(step: number): AppendRecord {
  const number = (step * 13) % 400;
  const customer = CUSTOMERS[number % CUSTOMERS.length];
  return {
    value: {
      id: `T-${step}`,
      order: orderId(number),
      customer,
      text: `${customer} about order ${orderId(number)}: ${COMPLAINTS[step % COMPLAINTS.length]}`,
    },
  };
}
