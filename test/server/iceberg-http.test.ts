import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TailwaterError } from '../../src/base/index.ts';
import { MemoryObjectStore, type ObjectStore } from '../../src/storage/index.ts';
import { catalogWorld, SCHEMA, snapshotUpdates, withTable } from '../lakehouse/catalog-world.ts';
import { type TestEngine, temporaryEngine } from './engine-support.ts';
import { fakeEngine } from './fake-engine.ts';
import { startServer, type TestServer } from './http-support.ts';

const V1 = '/iceberg/v1';

interface CatalogFault {
  status: number;
  type: string;
  message: string;
}

/** The error of a failed answer, after checking that it has the protocol's form. */
async function faultOf(answer: Response | Promise<Response>): Promise<CatalogFault> {
  const response = await answer;
  const { error, ...rest } = (await response.json()) as { error: { message: string; type: string; code: number } };
  expect({ rest, code: error.code }).toEqual({ rest: {}, code: response.status });
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  return { status: response.status, type: error.type, message: error.message };
}

async function jsonOf(answer: Promise<Response>): Promise<Record<string, never>> {
  const response = await answer;
  const text = await response.text();
  expect(`${response.status} ${response.ok ? '' : text}`).toBe('200 ');
  return JSON.parse(text);
}

describe('the catalog over the tables of streams', () => {
  let engine: TestEngine;
  let server: TestServer;

  beforeAll(async () => {
    engine = await temporaryEngine();
    server = await startServer(engine.tailwater.engine);
    const { tailwater } = engine;
    await tailwater.createStream('events', { kind: 'append' });
    await tailwater.createStream('users', { kind: 'upsert', key: 'id' });
    await tailwater.createStream('waiting', { kind: 'append' });
    await tailwater.createStream('texts', { kind: 'append', search: { fields: ['text'] } });
    for (const stream of ['events', 'users', 'texts']) {
      for (const id of ['a', 'b']) {
        await tailwater.append(stream, [{ value: { id, text: id } }]);
        await tailwater.compact(stream);
      }
    }
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  const namesIn = async (namespace: string): Promise<string[]> => {
    const { identifiers } = await jsonOf(server.fetch(`${V1}/namespaces/${namespace}/tables`));
    return (identifiers as { name: string }[]).map(({ name }) => name).sort();
  };

  test('shows those that have been compacted, and what upsert streams held before', async () => {
    expect(await jsonOf(server.fetch(`${V1}/namespaces`))).toMatchObject({ namespaces: [['tailwater'], ['tailwater_changes']] });
    expect(await namesIn('tailwater')).toEqual(['events', 'users']);
    expect(await namesIn('tailwater_changes')).toEqual(['users']);
    const fault = await faultOf(server.fetch(`${V1}/namespaces/tailwater/tables/waiting`));
    expect(fault).toMatchObject({ status: 404, type: 'NoSuchTableException' });
    expect(fault.message).toContain('/v1/streams/waiting/compact');
  });

  test('serves the metadata of the committed version, at an address that a reader of files opens', async () => {
    const loaded = await jsonOf(server.fetch(`${V1}/namespaces/tailwater/tables/events`));
    expect(loaded).toMatchObject({ config: {}, 'storage-credentials': [] });
    const { metadata } = loaded as unknown as { metadata: { snapshots: object[]; 'snapshot-log': object[] } };
    const file = JSON.parse(await readFile(fileURLToPath(String(loaded['metadata-location'])), 'utf8'));
    expect(metadata).toMatchObject(file);
    expect(metadata.snapshots.length).toBe(2);
    const { state } = await engine.tailwater.getTable('events');
    expect(String(loaded['metadata-location'])).toMatch(
      new RegExp(`/${state!.incarnation}/rows/metadata/v${state!.rowsVersion}\\.`),
    );
    const referenced = await jsonOf(server.fetch(`${V1}/namespaces/tailwater/tables/events?snapshots=refs`));
    expect((referenced as unknown as { metadata: { snapshots: object[] } }).metadata.snapshots.length).toBe(1);
  });

  test('answers 304 until the table changes', async () => {
    const path = `${V1}/namespaces/tailwater/tables/users`;
    const etag = (await server.fetch(path)).headers.get('etag')!;
    const again = (): Promise<Response> => server.fetch(path, { headers: { 'if-none-match': etag } });
    expect((await again()).status).toBe(304);
    expect((await server.fetch(`${path}?snapshots=refs`, { headers: { 'if-none-match': etag } })).status).toBe(200);
    await engine.tailwater.append('users', [{ value: { id: 'c' } }]);
    await engine.tailwater.compact('users');
    expect((await again()).status).toBe(200);
  });

  test('refuses every write to them, and nothing changes', async () => {
    const path = `${V1}/namespaces/tailwater/tables/events`;
    const before = await jsonOf(server.fetch(path));
    const conflict = { status: 409, type: 'CommitFailedException' };
    const updates = snapshotUpdates(5, 50);
    expect(await faultOf(server.post(path, { requirements: [], updates }))).toMatchObject(conflict);
    const identifier = { namespace: ['tailwater'], name: 'events' };
    const change = { identifier, requirements: [], updates };
    expect(await faultOf(server.post(`${V1}/transactions/commit`, { 'table-changes': [change] }))).toMatchObject(conflict);
    const forbidden = { status: 403, type: 'ForbiddenException' };
    expect(await faultOf(server.fetch(path, { method: 'DELETE' }))).toMatchObject(forbidden);
    const rename = { source: identifier, destination: { namespace: ['tailwater'], name: 'other' } };
    expect(await faultOf(server.post(`${V1}/tables/rename`, rename))).toMatchObject(forbidden);
    const creation = { name: 'mine', schema: SCHEMA };
    expect(await faultOf(server.post(`${V1}/namespaces/tailwater/tables`, creation))).toMatchObject(forbidden);
    expect(await faultOf(server.post(`${V1}/namespaces/tailwater/tables`, { ...creation, name: 'events' }))).toMatchObject({
      status: 409,
      type: 'AlreadyExistsException',
    });
    expect(await jsonOf(server.fetch(path))).toEqual(before);
  });

  test('tells whether names exist, without a body', async () => {
    const statusOf = async (path: string): Promise<number> => (await server.fetch(`${V1}${path}`, { method: 'HEAD' })).status;
    expect(await statusOf('/namespaces/tailwater')).toBe(204);
    expect(await statusOf('/namespaces/nowhere')).toBe(404);
    expect(await statusOf('/namespaces/tailwater/tables/events')).toBe(204);
    expect(await statusOf('/namespaces/nowhere/tables/events')).toBe(404);
  });

  test('its settings name every route that it has', async () => {
    const { endpoints } = await jsonOf(server.fetch(`${V1}/config?warehouse=any`));
    const { paths } = await jsonOf(server.fetch('/openapi.json'));
    const routes = Object.entries(paths as Record<string, object>)
      .filter(([path]) => path.startsWith(V1) && path !== `${V1}/config`)
      .flatMap(([path, methods]) =>
        Object.keys(methods).map(method => `${method.toUpperCase()} ${path.replace(V1, '/v1/{prefix}')}`),
      );
    // The OpenAPI document has no HEAD routes.
    expect(routes.sort()).toEqual((endpoints as string[]).filter(each => !each.startsWith('HEAD')).sort());
  });
});

describe('the catalog over tables of other engines', () => {
  test('a table lives from its creation to its end', async () => {
    await using server = await startServer(fakeEngine({ iceberg: catalogWorld().catalog }));
    await jsonOf(server.post(`${V1}/namespaces`, { namespace: ['a', 'b'] }));
    const tables = `${V1}/namespaces/a%1Fb/tables`;
    const created = await jsonOf(server.post(tables, { name: 't', schema: SCHEMA }));
    expect(created['metadata-location']).toMatch(/^file:/);
    const commit = `{"requirements":[{"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":null}],"updates":${JSON.stringify(
      snapshotUpdates(1, 1),
    ).replaceAll('"snapshot-id":1', '"snapshot-id":9007199254740993')}}`;
    await jsonOf(server.post(`${tables}/t`, commit));
    const text = await (await server.fetch(`${tables}/t`)).text();
    expect(text).toContain('"current-snapshot-id":9007199254740993');
    expect(await faultOf(server.post(`${tables}/t`, commit))).toMatchObject({ status: 409, type: 'CommitFailedException' });
    expect((await server.post(`${tables}/t/metrics`, { 'report-type': 'scan-report' })).status).toBe(204);
    expect((await server.fetch(`${tables}/t?purgeRequested=True`, { method: 'DELETE' })).status).toBe(204);
    expect(await faultOf(server.fetch(`${tables}/t`))).toMatchObject({ status: 404, type: 'NoSuchTableException' });
  });

  test('what it does not serve is refused by name, and views are not found, so that clients go on to tables', async () => {
    const world = catalogWorld();
    await withTable(world);
    await using server = await startServer(fakeEngine({ iceberg: world.catalog }));
    const refused = { status: 406, type: 'UnsupportedOperationException' };
    const lab = `${V1}/namespaces/lab`;
    const view = { name: 'v', schema: SCHEMA, 'view-version': {}, properties: {} };
    const registration = { name: 'visits', 'metadata-location': 'file:///etc/passwd', overwrite: true };
    const before = await jsonOf(server.fetch(`${lab}/tables/visits`));
    for (const [path, body] of Object.entries({
      [`${lab}/views`]: view,
      [`${V1}/views/rename`]: { source: {}, destination: {} },
      [`${lab}/register`]: registration,
      [`${lab}/register-view`]: registration,
      [`${lab}/tables/visits/plan`]: {},
      [`${lab}/tables/visits/tasks`]: { 'plan-task': 't' },
    })) {
      expect({ path, ...(await faultOf(server.post(path, body))) }).toMatchObject({ path, ...refused });
    }
    expect((await faultOf(server.post(`${lab}/register`, registration))).message).toMatch(
      /create the table.*GET \/iceberg\/v1\/config/,
    );
    expect(await faultOf(server.fetch(`${lab}/views`))).toMatchObject(refused);
    const absent = { status: 404, type: 'NoSuchViewException' };
    expect(await faultOf(server.fetch(`${lab}/views/v`))).toMatchObject(absent);
    expect(await faultOf(server.post(`${lab}/views/v`, { requirements: [], updates: [] }))).toMatchObject(absent);
    expect(await faultOf(server.fetch(`${lab}/views/v`, { method: 'DELETE' }))).toMatchObject(absent);
    expect((await server.fetch(`${lab}/views/v`, { method: 'HEAD' })).status).toBe(404);
    expect(await jsonOf(server.fetch(`${lab}/tables/visits`))).toEqual(before);
  });

  test('a commit of which nobody knows whether it took effect is never called a failure', async () => {
    const memory = new MemoryObjectStore();
    let losing = false;
    let lost = false;
    const silent: ObjectStore = {
      put: async (key, bytes, condition) => {
        const outcome = await memory.put(key, bytes, condition);
        lost = losing;
        return lost ? { kind: 'unknown', cause: 'lost' } : outcome;
      },
      get: (key, options) => (lost ? Promise.reject(new TailwaterError('TW_STORAGE_UNAVAILABLE')) : memory.get(key, options)),
      head: key => memory.head(key),
      list: (prefix, options) => memory.list(prefix, options),
      delete: keys => memory.delete(keys),
    };
    const world = catalogWorld({ store: silent });
    await withTable(world);
    await using server = await startServer(fakeEngine({ iceberg: world.catalog }));
    const { size } = world.files.files;
    const commit = { requirements: [], updates: [{ action: 'set-properties', updates: { a: '1' } }] };
    losing = true;
    const fault = await faultOf(server.post(`${V1}/namespaces/lab/tables/visits`, commit));
    expect(fault).toMatchObject({ status: 500, type: 'CommitStateUnknownException' });
    // It may be what the table is now: its metadata stay.
    expect(world.files.files.size).toBe(size + 1);
  });

  test('bad input of every kind is answered in the form of the protocol', async () => {
    const world = catalogWorld();
    await withTable(world);
    await using server = await startServer(fakeEngine({ iceberg: world.catalog }));
    const table = `${V1}/namespaces/lab/tables/visits`;
    const bad = { status: 400, type: 'BadRequestException' };
    const bodies = [
      '',
      '{',
      '[]',
      'null',
      '{"requirements":{}}',
      '{"requirements":[],"updates":[1]}',
      '{"requirements":[],"updates":[{}]}',
    ];
    for (const body of bodies) expect({ body, ...(await faultOf(server.post(table, body))) }).toMatchObject({ body, ...bad });
    expect(await faultOf(server.post(table, `{"a":${'['.repeat(200_000)}`))).toMatchObject({ type: 'BadRequestException' });
    expect(await faultOf(server.post(table, Buffer.from('{"a":"\xff"}', 'latin1')))).toMatchObject(bad);
    expect(await faultOf(server.post(`${V1}/namespaces`, { namespace: [] }))).toMatchObject(bad);
    expect(await faultOf(server.post(`${V1}/namespaces`, { namespace: ['..'] }))).toMatchObject(bad);
    expect(await faultOf(server.post(`${V1}/namespaces`, { namespace: ['lab'] }))).toMatchObject({
      type: 'AlreadyExistsException',
    });
    expect(await faultOf(server.fetch(`${V1}/namespaces/lab/tables/a%2Fb`))).toMatchObject(bad);
    expect(await faultOf(server.fetch(`${table}?snapshots=some`))).toMatchObject(bad);
    expect(await faultOf(server.fetch(`${V1}/namespaces/lab`, { method: 'DELETE' }))).toMatchObject({
      status: 409,
      type: 'NamespaceNotEmptyException',
    });
    expect(await faultOf(server.fetch(`${V1}/views`))).toMatchObject({ status: 404, type: 'NotFoundException' });
    const xml = { 'content-type': 'text/xml' };
    expect(await faultOf(server.post(table, '<a/>', xml))).toMatchObject({ status: 415, type: 'BadRequestException' });
    expect(world.files.files.size).toBe(1);
  });
});
