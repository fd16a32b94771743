import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Tailwater } from '../../../src/index.ts';
import { ingestSource } from '../../../src/ingest/index.ts';
import { printContext } from './context.ts';
import { orderEvent, orderId, ticketEvent } from './shop.ts';

/**
 * The main job on embedded defaults: a live shop streams orders and tickets, real text is ingested, compactions run while events keep
 * coming, and an agent's context is printed before and after something happens.
 */
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const EVENTS = 4000;
const EVENTS_PER_TICK = 20;
const TICK_MS = 50;
const MAX_PACKAGES = 60;
const QUESTION = 'Where is the parcel, and can the customer get a refund?';

const dataDir = mkdtempSync(join(tmpdir(), 'tailwater-demo-'));
const tailwater = await Tailwater.open({ dataDir, compaction: { rows: 500, ageMs: 3000 } });
try {
  await createStreams();
  console.log('Ingesting the Markdown of this project and of its packages …');
  await ingestMarkdown();
  console.log(`Streaming ${EVENTS} live events of a shop, while compactions run …`);
  await streamShop(0, EVENTS);
  await printContext(tailwater, 'the agent’s context, before', QUESTION, orderId(65));
  console.log('\n   … now the order is delivered, and its customer writes again …');
  await tailwater.append('orders', [
    {
      value: {
        id: orderId(65),
        customer: 'Bela',
        item: 'travel backpack',
        amount: 135,
        state: 'delivered',
        text: `Order ${orderId(65)}: delivered.`,
      },
    },
  ]);
  await tailwater.append('tickets', [
    {
      value: {
        id: 'T-live',
        order: orderId(65),
        customer: 'Bela',
        text: `Bela about order ${orderId(65)}: the parcel came just now, no refund needed, thank you!`,
      },
    },
  ]);
  await printContext(tailwater, 'the agent’s context, a moment after', QUESTION, orderId(65));
  await compactAll();
  await printContext(tailwater, 'the same context from the tables, after compaction', QUESTION, orderId(65));
  await printTables();
} finally {
  await tailwater.close();
  rmSync(dataDir, { recursive: true, force: true });
}

async function createStreams(): Promise<void> {
  const searchable = { search: { fields: ['text'] }, embed: { fields: ['text'] } };
  await tailwater.createStream('orders', { kind: 'upsert', key: 'id', ...searchable });
  await tailwater.createStream('tickets', { kind: 'upsert', key: 'id', ...searchable });
  await tailwater.createStream('docs', { kind: 'append', ...searchable });
}

async function ingestMarkdown(): Promise<void> {
  const packages = readdirSync(join(ROOT, 'node_modules'))
    .filter(name => !name.startsWith('.'))
    .slice(0, MAX_PACKAGES);
  const readmes = packages.map(name => join(ROOT, 'node_modules', name, 'README.md')).filter(existsSync);
  let sections = 0;
  const own = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs'].map(name => join(ROOT, name));
  for (const path of [...own, ...readmes]) {
    const { records } = await ingestSource(path, 'docs', named(path));
    sections += records;
  }
  console.log(`   ${sections} sections of ${readmes.length} packages and of this project`);
}

/** READMEs of packages share a name; their folder tells them apart. */
function named(path: string) {
  const folder = path.startsWith(join(ROOT, 'node_modules')) ? `${basename(dirname(path))}/` : '';
  return {
    sourceProgress: (sources: readonly string[]) => tailwater.sourceProgress(sources),
    appendNdjson: (stream: string, body: Uint8Array) =>
      tailwater.appendNdjson(stream, Buffer.from(body).toString().replaceAll('"README.md', `"${folder}README.md`)),
  };
}

async function streamShop(first: number, count: number): Promise<void> {
  for (let step = first; step < first + count; step += EVENTS_PER_TICK) {
    const steps = Array.from({ length: EVENTS_PER_TICK }, (_, at) => step + at);
    await tailwater.append('orders', steps.map(orderEvent));
    await tailwater.append('tickets', steps.filter(at => at % 5 === 0).map(ticketEvent));
    if (step % 1000 === 0) await printProgress(step);
    await new Promise(resolve => setTimeout(resolve, TICK_MS));
  }
}

async function printProgress(step: number): Promise<void> {
  const lines = await Promise.all(
    ['orders', 'tickets', 'docs'].map(async name => {
      const { rows, lag } = await tailwater.getStream(name);
      return `${name}: ${rows} rows, ${lag} records not compacted`;
    }),
  );
  console.log(`   after ${step} events  ${lines.join('; ')}`);
}

async function compactAll(): Promise<void> {
  for (const name of ['orders', 'tickets', 'docs']) await tailwater.compact(name);
}

async function printTables(): Promise<void> {
  console.log('\n── the tables ──');
  for (const name of ['orders', 'tickets', 'docs']) {
    const { state } = await tailwater.getTable(name);
    if (state === null) continue;
    console.log(
      `   ${name.padEnd(8)} state ${state.n}, ${state.rowCount} rows, ${state.changeCount} superseded versions, watermark ${state.watermark}`,
    );
  }
}
