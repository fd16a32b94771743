import { expect, test } from 'vitest';
import { seededRandom } from '../../src/base/index.ts';
import { TailwaterClient } from '../../src/client.ts';
import type { AppendAnswer } from '../../src/index.ts';
import { temporaryEngine, temporaryFolder } from '../server/engine-support.ts';
import { startServer } from '../server/http-support.ts';
import { Dice } from '../simulation/dice.ts';
import { Check } from './check.ts';
import { Ledger, type SentRecord, type StreamName, type ViolationKind } from './ledger.ts';
import { STREAMS } from './load.ts';
import { planRounds } from './plan.ts';
import { run } from './run.ts';

const ROUNDS = 3;

test('nodes that are killed under load lose nothing acknowledged, and repeat nothing', { timeout: 300_000 }, async () => {
  await using folder = await temporaryFolder();
  const report = await run({ store: 'folder', rounds: ROUNDS, seed: 5, folder: folder.path });
  expect(report.violations).toEqual([]);
  expect(report).toMatchObject({ rounds: ROUNDS, stores: 1, verifications: 2 });
  expect(report.batches.acknowledged).toBeGreaterThan(ROUNDS);
});

test('a seed is a plan', () => {
  expect(planRounds('s3', 100, 7)).toEqual(planRounds('s3', 100, 7));
  expect(new Set(planRounds('folder', 100, 7).map(round => round.ending)).size).toBe(5);
});

/** Ledgers that differ from what a node has: a check that does not notice proves nothing. */
const LIES: { name: string; kind: ViolationKind; tell: (ledger: Ledger) => void }[] = [
  {
    name: 'an acknowledged batch is not there',
    kind: 'lost',
    tell: ledger => ledger.acknowledge(add(ledger, 'events', 'bx', 1), answerAt(0, 7)),
  },
  {
    name: 'a refused batch is there',
    kind: 'duplicate',
    tell: ledger => Object.assign(ledger.get('b1')!, { outcome: 'refused' }),
  },
  {
    name: 'half of a batch is there',
    kind: 'lost',
    tell: ledger => ledger.get('b1')!.records.push(...recordsOf('events', 'b1', 3).slice(2)),
  },
  { name: 'there is more of a batch than was sent', kind: 'wrong', tell: ledger => ledger.get('b1')!.records.pop() },
  { name: 'a batch is elsewhere', kind: 'wrong', tell: ledger => Object.assign(ledger.get('b1')!.ranges[0], { last: 9 }) },
  {
    name: 'a row has another value',
    kind: 'lost',
    tell: ledger => Object.assign(ledger.get('b2')!.records[1].value!, { text: 'other' }),
  },
  { name: 'a deleted row is there', kind: 'wrong', tell: ledger => Object.assign(ledger.get('b2')!.records[1], { value: null }) },
];

function answerAt(partition: number, offset: number): AppendAnswer {
  return { token: '', accepted: 1, partitions: [{ partition, first: offset, last: offset }], rejected: [] };
}

test.each(LIES)('a check notices that $name', async ({ kind, tell }) => {
  await using engine = await temporaryEngine();
  await using server = await startServer(engine.tailwater.engine);
  const client = new TailwaterClient({ url: server.url });
  const ledger = new Ledger();
  for (const [name, settings] of Object.entries(STREAMS)) await client.createStream(name, settings);
  for (const [stream, id] of [
    ['events', 'b1'],
    ['rows', 'b2'],
  ] as const) {
    const batch = add(ledger, stream, id, 2);
    ledger.acknowledge(batch, await client.append(stream, batch.records, { idempotencyKey: batch.idempotencyKey }));
  }
  const check = () => new Check(ledger, server.url, new Dice(seededRandom(1))).everything();
  await check();
  expect(ledger.violations).toEqual([]);
  tell(ledger);
  await check();
  expect(ledger.violations.map(violation => violation.kind)).toContain(kind);
});

function add(ledger: Ledger, stream: StreamName, id: string, count: number) {
  return ledger.add({ id, stream, idempotencyKey: `key-${id}`, records: recordsOf(stream, id, count) });
}

function recordsOf(stream: StreamName, id: string, count: number): SentRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    key: stream === 'rows' ? 'k1' : id,
    value: { batch: id, index, text: `${id} storm` },
    headers: { batch: id, index: String(index) },
  }));
}
