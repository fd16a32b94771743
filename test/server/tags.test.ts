import { describe, expect, test } from 'vitest';
import { TailwaterClient } from '../../src/client.ts';
import { Tailwater, type TailwaterApi } from '../../src/server/index.ts';
import { temporaryEngine } from './engine-support.ts';
import { problemOf, startServer } from './http-support.ts';

const AT_ONCE = { auto: false, graceMs: 0, logHistoryMs: 0, historySlack: 0 };

async function write(api: TailwaterApi, round: number): Promise<void> {
  const rows = ['a', 'b', 'c'].map(id => ({ value: { id, round, text: `boat number ${round}` } }));
  await api.append('docs', rows);
  if (round === 2) await api.deleteRow('docs', 'b');
}

async function create(api: TailwaterApi): Promise<void> {
  const fields = ['text'];
  await api.createStream('docs', { kind: 'upsert', key: 'id', search: { fields }, embed: { fields }, history: 'PT0.001S' });
}

/** Everything one can ask of an instant, by every way of reading. */
async function answersAt(api: TailwaterApi, asOf: string | { tag: string }): Promise<unknown> {
  const consistency = { asOf };
  const found = await api.query('docs', { text: 'boat', limit: 10, consistency });
  const filtered = await api.query('docs', { filter: { round: { $gte: 1 } }, limit: 10, consistency });
  const rows = await Promise.all(
    ['a', 'b', 'c'].map(key =>
      api.getRow('docs', key, { consistency }).then(
        row => row.record,
        error => error.code,
      ),
    ),
  );
  const hits = (answer: typeof found) => answer.hits.map(hit => [hit.id, hit.score, hit.value]).sort();
  return { found: hits(found), filtered: hits(filtered), rows, complete: found.freshness.complete };
}

/** Later rounds, each compacted, maintained and collected. */
async function goOn(api: TailwaterApi, from: number, rounds: number): Promise<void> {
  for (let round = from; round < from + rounds; round++) {
    await write(api, round);
    await api.compact('docs', { full: true });
    expect((await api.collect({ thorough: true })).problems).toEqual([]);
  }
}

describe('a tag', () => {
  test('keeps its instant through writes, maintenance, collection and restarts, until it is deleted', async () => {
    await using engine = await temporaryEngine({ collection: AT_ONCE });
    const { tailwater, dataDir } = engine;
    await create(tailwater);
    await write(tailwater, 1);
    await write(tailwater, 2);
    const before = await answersAt(tailwater, (await tailwater.read('docs')).token);
    const tag = await tailwater.createTag('docs', 'v1');
    expect(tag).toMatchObject({ stream: 'docs', name: 'v1', rows: 2 });
    expect(await answersAt(tailwater, { tag: 'v1' })).toEqual(before);

    await goOn(tailwater, 3, 3);
    const second = await tailwater.createTag('docs', 'v2');
    await goOn(tailwater, 6, 2);
    await tailwater.close();

    const again = await Tailwater.open({ dataDir, compactionHost: 'inline', compaction: { auto: false }, collection: AT_ONCE });
    for (const asOf of [{ tag: 'v1' }, 'tag:v1', tag.token]) expect(await answersAt(again, asOf)).toEqual(before);
    expect((await again.listTags('docs')).map(each => [each.name, each.token])).toEqual([
      ['v1', tag.token],
      ['v2', second.token],
    ]);
    await again.deleteTag('docs', 'v1');
    await goOn(again, 8, 2);
    expect(await answersAt(again, second.token)).toMatchObject({ found: { length: 3 }, complete: true });
    await expect(answersAt(again, tag.token)).rejects.toMatchObject({ code: 'TW_HISTORY_EXPIRED' });
    await expect(answersAt(again, { tag: 'v1' })).rejects.toMatchObject({ code: 'TW_TAG_NOT_FOUND' });
    await again.close();
  });

  test('over HTTP is the same as in the engine', async () => {
    await using engine = await temporaryEngine({ collection: AT_ONCE });
    await using server = await startServer(engine.tailwater.engine);
    const client = new TailwaterClient({ url: server.url });
    await create(client);
    await write(client, 1);
    const tag = await client.createTag('docs', 'v1');
    await goOn(client, 2, 1);
    expect(await answersAt(client, { tag: 'v1' })).toEqual(await answersAt(engine.tailwater, tag.token));
    expect(await client.listTags('docs')).toEqual([tag]);
    expect(await client.createTag('docs', 'again', { asOf: 'tag:v1' })).toMatchObject({ token: tag.token });
    await client.deleteTag('docs', 'v1');
    expect(await answersAt(client, { tag: 'again' })).toEqual(await answersAt(engine.tailwater, tag.token));
    await client.close();
  });

  test('of an earlier instant is made where a table state holds exactly it, and refused elsewhere', async () => {
    await using engine = await temporaryEngine({ collection: AT_ONCE });
    const { tailwater } = engine;
    await create(tailwater);
    await expect(tailwater.createTag('docs', 'nothing')).rejects.toMatchObject({ code: 'TW_NOT_TAGGABLE' });
    await write(tailwater, 1);
    const uncompacted = await tailwater.read('docs');
    await tailwater.append('docs', [{ value: { id: 'd', round: 1, text: 'boat' } }]);
    await tailwater.compact('docs');
    const compacted = await tailwater.read('docs');
    await write(tailwater, 2);
    await expect(tailwater.createTag('docs', 'between', { asOf: uncompacted.token })).rejects.toMatchObject({
      code: 'TW_NOT_TAGGABLE',
    });
    expect(await tailwater.createTag('docs', 'then', { asOf: compacted.token })).toMatchObject({ rows: 4 });
    expect(await tailwater.createTag('docs', 'then', { asOf: compacted.token })).toMatchObject({ rows: 4 });
    await expect(tailwater.createTag('docs', 'then')).rejects.toMatchObject({ code: 'TW_TAG_EXISTS' });
  });

  test('of several streams is read by one query where nothing lies between its instants, and refused elsewhere', async () => {
    await using engine = await temporaryEngine({ collection: AT_ONCE });
    const { tailwater } = engine;
    const row = (n: number): { value: { n: number } }[] => [{ value: { n } }];
    for (const name of ['one', 'two']) {
      await tailwater.createStream(name, { kind: 'append' });
      await tailwater.append(name, row(1));
    }
    for (const name of ['one', 'two']) await tailwater.createTag(name, 'start');
    const counts = async (tag: string): Promise<unknown> => {
      const sql = 'SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM two)';
      return (await tailwater.sql(sql, { consistency: { asOf: { tag } } })).rows;
    };
    expect(await counts('start')).toEqual([[1, 1]]);
    await tailwater.append('one', row(2));
    await tailwater.createTag('one', 'apart');
    await tailwater.append('one', row(3));
    await tailwater.append('two', row(2));
    expect(await counts('start')).toEqual([[1, 1]]);
    await expect(counts('apart')).rejects.toMatchObject({ code: 'TW_TAG_NOT_FOUND' });
    await tailwater.createTag('two', 'apart');
    await expect(counts('apart')).rejects.toMatchObject({ code: 'TW_BAD_REQUEST', message: expect.stringContaining('"one"') });
  });

  test('with a bad name, or of nothing, is a problem that says so', async () => {
    await using engine = await temporaryEngine({ collection: AT_ONCE });
    await using server = await startServer(engine.tailwater.engine);
    await create(engine.tailwater);
    await write(engine.tailwater, 1);
    for (const name of ['', '../x', 'a/b', '.dot', 'x'.repeat(129), 'ü']) {
      expect(await problemOf(await server.post('/v1/streams/docs/tags', { name }))).toMatchObject({ code: 'TW_BAD_REQUEST' });
    }
    const query = (asOf: unknown) => server.post('/v1/streams/docs/query', { text: 'boat', consistency: { asOf } });
    expect(await problemOf(await query({ tag: '../../state/floor' }))).toMatchObject({ code: 'TW_TAG_NOT_FOUND' });
    expect(await problemOf(await query({ tag: 'v1', other: 1 }))).toMatchObject({ code: 'TW_BAD_REQUEST' });
    expect(await problemOf(await query({}))).toMatchObject({ code: 'TW_BAD_REQUEST' });
    expect(await problemOf(await server.fetch('/v1/streams/docs/records?asOf=tag:v1'))).toMatchObject({
      code: 'TW_TAG_NOT_FOUND',
    });
    expect(await problemOf(await server.fetch('/v1/streams/docs/tags/v1', { method: 'DELETE' }))).toMatchObject({ status: 404 });
    expect(await problemOf(await server.fetch('/v1/streams/none/tags'))).toMatchObject({ code: 'TW_STREAM_NOT_FOUND' });
  });
});
