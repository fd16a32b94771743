import type { QueryAnswer, Tailwater } from '../../../src/index.ts';

/** What an agent would put before its model: one question, asked of every stream, with proof of freshness. */
export async function printContext(tailwater: Tailwater, title: string, question: string, orderId: string): Promise<void> {
  console.log(`\n── ${title} ──`);
  console.log(`   question: ${question}`);
  const startedMs = performance.now();
  const [row, tickets, docs] = await Promise.all([
    tailwater.getRow('orders', orderId),
    tailwater.query('tickets', { text: question, filter: { order: orderId }, limit: 2 }),
    tailwater.query('docs', { text: question, limit: 2 }),
  ]);
  const tookMs = performance.now() - startedMs;
  const order = row.record.value as { state: string; item: string; customer: string };
  console.log(`   order    [${row.tier}] ${orderId}: ${order.item} for ${order.customer}, ${order.state}`);
  printHits('ticket', tickets);
  printHits('doc', docs);
  for (const [name, { freshness }] of [
    ['orders', row],
    ['tickets', tickets],
    ['docs', docs],
  ] as const) {
    const age = freshness.newestAgeMs === null ? 'empty' : `newest row ${freshness.newestAgeMs} ms old`;
    console.log(`   ${name.padEnd(8)} ${age}, ${freshness.tailRows} rows from the tail, complete: ${freshness.complete}`);
  }
  console.log(`   assembled in ${tookMs.toFixed(1)} ms`);
}

function printHits(name: string, { hits }: QueryAnswer): void {
  if (hits.length === 0) console.log(`   ${name.padEnd(8)} none`);
  for (const { tier, value } of hits) {
    const text = String(value.text).replace(/\s+/g, ' ');
    const from = typeof value.path === 'string' ? `${value.path}: ` : '';
    console.log(`   ${name.padEnd(8)} [${tier}] ${from}${text.length > 100 ? `${text.slice(0, 100)}…` : text}`);
  }
}
