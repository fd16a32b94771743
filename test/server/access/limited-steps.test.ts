import { expect, test } from 'vitest';
import { TailwaterClient } from '../../../src/client.ts';
import { temporaryEngine } from '../engine-support.ts';
import { startServer } from '../http-support.ts';

const ADMIN = 'the-administrator-of-these-tests-0123456789';

test('a key of some streams does steps from and into these, and no part of one that names another', async () => {
  await using engine = await temporaryEngine();
  await using server = await startServer(engine.tailwater.engine, { adminKey: ADMIN });
  const admin = new TailwaterClient({ url: server.url, apiKey: ADMIN });
  const { key } = await admin.keys.create({ name: 'worker', scopes: ['read', 'write'], streams: ['mail.', 'answers'] });
  const client = new TailwaterClient({ url: server.url, apiKey: key });
  for (const name of ['mail.in', 'answers', 'mail', 'secrets']) await admin.createStream(name, { kind: 'append' });
  for (const name of ['mail.in', 'secrets']) await admin.append(name, [{ value: { n: 1 } }, { value: { n: 2 } }]);
  const out = (stream: string) => ({ stream, records: [{ value: { n: 1 } }] });
  const step = (stream: string, outputs: string[]) =>
    client.step({ consumer: 'clerk', input: { stream, offset: 0 }, outputs: outputs.map(out), result: 'done' });

  for (const refused of [
    () => step('secrets', ['answers']),
    () => step('mail', []),
    () => step('mail.in', ['answers', 'secrets']),
    () => step('mail.in', ['mail']),
    () => client.stepPosition({ consumer: 'clerk', stream: 'secrets' }),
    () => client.stepPosition({ consumer: 'clerk', stream: 'nowhere' }),
  ])
    await expect(refused(), refused.toString()).rejects.toMatchObject({ code: 'TW_FORBIDDEN' });
  expect(await client.stepPosition({ consumer: 'clerk', stream: 'mail.in' })).toMatchObject({ position: -1 });
  expect((await admin.read('answers')).records).toEqual([]);

  expect(await step('mail.in', ['answers', 'mail.in'])).toMatchObject({ applied: true, position: 0 });
  expect(await step('mail.in', ['answers'])).toMatchObject({ applied: false, result: 'done' });
  expect((await admin.read('answers')).records).toHaveLength(1);
  expect((await admin.read('secrets')).records).toHaveLength(2);
});
