import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TailwaterError } from '../../src/base/index.ts';
import { readForeignSnapshot } from '../../src/lakehouse/iceberg/foreign-snapshot.ts';
import type { TableState } from '../../src/lakehouse/index.ts';
import { verifyTable } from '../../src/lakehouse/index.ts';
import { codeOf, MemoryTableFiles } from './catalog-world.ts';
import { expectTableEqualsLog, segment, write } from './compact-oracle.ts';
import { FOREIGN_ID, type Rewrite, writeAvro } from './foreign-engine.ts';
import { APPENDED, type ReplaceWorld, replaceWorld, UPSERTED } from './replace-world.ts';

async function latest({ world }: ReplaceWorld): Promise<TableState> {
  return (await world.states().latest())!;
}

/** The table is what the log says, and verification, as `tailwater doctor` does it, finds nothing. */
async function expectSound(opened: ReplaceWorld, state?: TableState): Promise<void> {
  const { world } = opened;
  const shown = state ?? (await latest(opened));
  await expectTableEqualsLog(world, shown);
  const { store, tables, definition } = world;
  expect(await verifyTable({ store, tables, definition, state: shown })).toEqual([]);
}

const price = (n: number) => ({ id: `k${n}`, text: `note ${n}`, price: n / 2, flag: n % 2 === 0 });

describe('files of a streamed table that another engine rewrote', () => {
  test('take the place of those before: same rows, offsets, watermark, at a snapshot of the engine’s own id', async () => {
    await using opened = await replaceWorld(APPENDED);
    for (let n = 0; n < 4; n++) await opened.compacted({ a: price(n), b: price(n + 10) });
    const before = await latest(opened);
    const loaded = await opened.engine.rewrite();
    const after = await latest(opened);
    expect(after).toEqual({
      ...before,
      n: before.n + 1,
      kind: 'replace',
      attemptId: expect.not.stringMatching(before.attemptId),
      rowsVersion: before.rowsVersion + 1,
      committedAtMs: expect.any(Number),
      summary: { removedFiles: 4, addedFiles: 1, milliseconds: expect.any(Number) },
    });
    const [snapshot] = loaded.metadata.snapshots.slice(-1);
    expect(loaded.metadata['current-snapshot-id']).toBe(snapshot['snapshot-id']);
    expect(BigInt(snapshot['snapshot-id'])).toBeGreaterThan(FOREIGN_ID);
    expect(snapshot.summary).toMatchObject({
      ...{ operation: 'replace', 'engine-name': 'foreign', 'total-data-files': '1', 'total-records': '8' },
      'tailwater.watermark': JSON.stringify(after.watermark),
    });
    await expectSound(opened);
    await expectSound(opened, before);
    // What the engine wrote is gone, and the table has a copy of it.
    expect((await opened.dataFiles()).filter(name => name.includes('foreign'))).toEqual([]);
    expect((await opened.engine.liveFiles()).length).toBe(1);
  });

  test.each([
    ['append', APPENDED],
    ['upsert', UPSERTED],
  ])('take writes, deletions, merges, rewrites and expiry as Tailwater’s own do: %s', async (_kind, definition) => {
    const step = fc.oneof(
      { weight: 3, arbitrary: segment.map(written => ({ written })) },
      {
        weight: 2,
        arbitrary: fc.record({ part: fc.constantFrom('rows', 'changes'), keepsDeletes: fc.boolean(), keep: fc.nat(3) }),
      },
      { weight: 1, arbitrary: fc.constant('maintain' as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 8 }), async steps => {
        await using opened = await replaceWorld(definition);
        const states: TableState[] = [];
        await opened.compacted({ a: { text: 'first', price: 1 }, b: { text: 'second', price: 2.5 } });
        for (const each of steps) {
          if (each === 'maintain') await opened.world.maintain({ full: true });
          else if ('written' in each) {
            write(opened.world, each.written);
            await opened.world.compact();
          } else {
            const engine = each.part === 'changes' && definition.kind === 'upsert' ? opened.changesEngine : opened.engine;
            // The files of one engine's earlier rewrite are rewritten again, and some stay as they are.
            const keeps = each.keep === 0 ? () => false : (_path: string, at: number) => at % (each.keep + 1) === 1;
            if ((await engine.liveFiles().catch(() => [])).length === 0) continue;
            await engine.rewrite({ keepsDeletes: each.keepsDeletes || each.keep > 0, keeps });
          }
          const state = await latest(opened);
          states.push(state);
          await expectTableEqualsLog(opened.world, state);
        }
        for (const state of states) await expectSound(opened, state);
        const last = await latest(opened);
        await opened.world.tables.prune(definition, [{ rows: last.rowsVersion, changes: last.changesVersion }]);
        await expectSound(opened, last);
      }),
      { numRuns: 6 },
    );
  });

  test('are found by key and offset although they lie in another order, and have exact bounds', async () => {
    await using opened = await replaceWorld(UPSERTED);
    const keys = Array.from({ length: 40 }, (_, n) => `k${n}`);
    for (const part of [keys.slice(0, 20), keys.slice(20)]) {
      await opened.compacted(Object.fromEntries(part.map((key, n) => [key, price(n)])));
    }
    await opened.engine.rewrite({
      select: 'SELECT * FROM live ORDER BY md5(_key_text)',
      copy: 'ROW_GROUP_SIZE 7, COMPRESSION snappy',
    });
    await opened.compacted(Object.fromEntries(keys.filter((_, n) => n % 3 === 0).map(key => [key, { id: key, text: 'new' }])));
    await expectSound(opened);
    const rows = await opened.engine.rows('count(*), count(DISTINCT _key_text)');
    expect(rows).toEqual([['40', '40']]);
  });
});

/** What must be refused, and how. */
const REFUSED: [what: string, code: string, rewrite: Rewrite][] = [
  ['a row less', 'TW_COMMIT_CONFLICT', { select: 'SELECT * FROM live WHERE _seq < (SELECT max(_seq) FROM live)' }],
  ['a row twice', 'TW_COMMIT_CONFLICT', { select: 'SELECT * FROM live UNION ALL (SELECT * FROM live LIMIT 1)' }],
  [
    'a row twice for one that is missing',
    'TW_COMMIT_CONFLICT',
    {
      select:
        'SELECT * FROM live WHERE _seq > (SELECT min(_seq) FROM live) UNION ALL (SELECT * FROM live WHERE _seq = (SELECT max(_seq) FROM live))',
    },
  ],
  ...['_offset', '_seq', '_stream_partition', 'price'].map((column): [string, string, Rewrite] => [
    `another ${column}`,
    'TW_COMMIT_CONFLICT',
    {
      select: `SELECT * REPLACE (CASE WHEN _seq = (SELECT max(_seq) FROM live) THEN ${column} + 1 ELSE ${column} END AS ${column}) FROM live`,
    },
  ]),
  ...['_key', '_key_text', 'text', '_headers'].map((column): [string, string, Rewrite] => [
    `another ${column}`,
    'TW_COMMIT_CONFLICT',
    {
      select: `SELECT * REPLACE (CASE WHEN _seq = (SELECT max(_seq) FROM live) THEN ('x' || coalesce(${column}::VARCHAR, ''))${column === '_key' ? '::BLOB' : ''} ELSE ${column} END AS ${column}) FROM live`,
    },
  ]),
  ['another time', 'TW_COMMIT_CONFLICT', { select: "SELECT * REPLACE (_time + INTERVAL '1 microsecond' AS _time) FROM live" }],
  [
    'values of two columns exchanged',
    'TW_COMMIT_CONFLICT',
    { select: 'SELECT * REPLACE (text AS _key_text, _key_text AS text) FROM live' },
  ],
  ['null for an empty text', 'TW_COMMIT_CONFLICT', { select: "SELECT * REPLACE (nullif(note, '') AS note) FROM live" }],
  ['a column less', 'TW_COMMIT_CONFLICT', { select: 'SELECT * EXCLUDE (price) FROM live' }],
  ['a column more', 'TW_BAD_REQUEST', { select: 'SELECT *, 1 AS more FROM live' }],
  ['no ids of columns', 'TW_BAD_REQUEST', { ids: false }],
  ['a narrower type', 'TW_BAD_REQUEST', { select: 'SELECT * REPLACE (_offset::INTEGER AS _offset) FROM live' }],
  ['a time without zone', 'TW_BAD_REQUEST', { select: 'SELECT * REPLACE (_time::TIMESTAMP AS _time) FROM live' }],
  ['an append', 'TW_COMMIT_CONFLICT', { summary: { operation: 'append' } }],
  ['a delete', 'TW_COMMIT_CONFLICT', { summary: { operation: 'delete' } }],
  ['an overwrite', 'TW_COMMIT_CONFLICT', { summary: { operation: 'overwrite' } }],
  ['a property beside it', 'TW_COMMIT_CONFLICT', { updates: [{ action: 'set-properties', updates: { a: 'b' } }] }],
  ['another base', 'TW_COMMIT_CONFLICT', { snapshot: { 'parent-snapshot-id': 5 }, requirements: [] }],
  ['no base', 'TW_COMMIT_CONFLICT', { snapshot: { 'parent-snapshot-id': null }, requirements: [] }],
  [
    'a requirement that does not hold',
    'TW_COMMIT_CONFLICT',
    { requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': FOREIGN_ID }] },
  ],
  ['an older schema', 'TW_COMMIT_CONFLICT', { snapshot: { 'schema-id': 99 } }],
  ['a file twice', 'TW_COMMIT_CONFLICT', { entries: entries => [...entries, entries.at(-1)!] }],
  ['no file at all', 'TW_COMMIT_CONFLICT', { entries: entries => entries.slice(0, -1) }],
  [
    'the files before beside the new one',
    'TW_COMMIT_CONFLICT',
    { entries: entries => entries.map(each => ({ ...each, status: 1 })) },
  ],
  ['deletes of its own', 'TW_COMMIT_CONFLICT', { entries: withLast({ content: 1 }) }],
  ['deletes by value', 'TW_COMMIT_CONFLICT', { entries: withLast({ content: 2 }) }],
  ['another format', 'TW_COMMIT_CONFLICT', { entries: withLast({ file_format: 'ORC' }) }],
  ['a file elsewhere', 'TW_BAD_REQUEST', { entries: withLast({ file_path: 'file:///etc/hostname' }) }],
  ['a file that is not there', 'TW_BAD_REQUEST', { entries: withPath(path => `${path}.gone`) }],
  ['a folder', 'TW_BAD_REQUEST', { entries: withPath(path => dirname(path)) }],
  ['a way out of the folder', 'TW_BAD_REQUEST', { entries: withPath(path => `${dirname(path)}/../../../x.parquet`) }],
  ['a manifest list elsewhere', 'TW_BAD_REQUEST', { snapshot: { 'manifest-list': 'file:///etc/passwd' } }],
  ['a manifest list at another host', 'TW_BAD_REQUEST', { snapshot: { 'manifest-list': 'http://127.0.0.1:1/list.avro' } }],
];

type DataFile = { data_file: { file_path: string } };

function withLast(changed: object): (entries: object[]) => object[] {
  return entries =>
    entries.with(-1, { ...entries.at(-1)!, data_file: { ...(entries.at(-1) as DataFile).data_file, ...changed } });
}

function withPath(change: (path: string) => string): (entries: object[]) => object[] {
  return entries => withLast({ file_path: change((entries.at(-1) as DataFile).data_file.file_path) })(entries);
}

describe('what other engines may not do to a streamed table', () => {
  test('is refused, and changes nothing', async () => {
    await using opened = await replaceWorld(UPSERTED);
    for (let n = 0; n < 3; n++) await opened.compacted({ a: { ...price(n), note: '' }, b: price(n + 10), c: price(20) });
    const before = await latest(opened);
    const { metadata } = await opened.catalog.load({ namespace: ['tailwater'], name: 'shop' });
    for (const [what, code, rewrite] of REFUSED) {
      const prepared = await opened.engine.prepare(rewrite);
      const files = await opened.dataFiles();
      expect([what, await codeOf(opened.engine.commit(prepared))]).toEqual([what, code]);
      expect([what, await latest(opened)]).toEqual([what, before]);
      expect([what, await opened.dataFiles()]).toEqual([what, files]);
    }
    expect((await opened.catalog.load({ namespace: ['tailwater'], name: 'shop' })).metadata).toEqual(metadata);
    await expectSound(opened);
    // Nothing of all this stands in the way of a sound one.
    await opened.engine.rewrite();
    await expectSound(opened);
  });

  test('deletes that still apply must stay, and those of rewritten files may go', async () => {
    await using opened = await replaceWorld(UPSERTED);
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`k${n}`, price(n)]));
    await opened.compacted(many);
    await opened.compacted({ k1: price(100), k2: null });
    const [first] = (await opened.engine.liveFiles()).map(({ data_file }) => data_file.file_path);
    const dropping: Rewrite = { keeps: path => path === first };
    expect(await codeOf(opened.engine.rewrite(dropping))).toBe('TW_COMMIT_CONFLICT');
    await expectSound(opened);
    await opened.engine.rewrite({ ...dropping, keepsDeletes: true });
    await expectSound(opened);
    expect((await opened.engine.liveFiles()).filter(({ data_file }) => data_file.content === 1).length).toBe(1);
    await opened.engine.rewrite();
    await expectSound(opened);
    expect((await opened.engine.liveFiles()).map(({ data_file }) => data_file.content)).toEqual([0]);
  });

  test('deleted rows may not come back, nor rows of an older version', async () => {
    await using opened = await replaceWorld(UPSERTED);
    await opened.compacted(Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`k${n}`, price(n)])));
    const early = await opened.engine.prepare();
    const old = await readFile(fileURLToPath(early.file));
    await opened.compacted({ k1: price(50) });
    expect(await codeOf(opened.engine.commit(early))).toBe('TW_COMMIT_CONFLICT');
    // The same file in a commit that is planned on the newest snapshot.
    const late = await opened.engine.prepare();
    await writeFile(fileURLToPath(late.file), old);
    expect(await codeOf(opened.engine.commit(late))).toBe('TW_COMMIT_CONFLICT');
    await expectSound(opened);
  });

  test('a transaction over several tables is refused whole', async () => {
    await using opened = await replaceWorld(UPSERTED);
    await opened.compacted({ a: price(1) });
    await opened.compacted({ a: price(2) });
    const [rows, changes] = [await opened.engine.prepare(), await opened.changesEngine.prepare()];
    const both = [
      { table: { namespace: ['tailwater'], name: 'shop' }, commit: rows },
      { table: { namespace: ['tailwater_changes'], name: 'shop' }, commit: changes },
    ];
    expect(await codeOf(opened.catalog.commit(both))).toBe('TW_COMMIT_CONFLICT');
    await opened.changesEngine.rewrite();
    await expectSound(opened);
  });
});

describe('hostile manifests', () => {
  test('are errors of the request, whatever bytes they have, and change nothing', async () => {
    await using opened = await replaceWorld(APPENDED);
    await opened.compacted({ a: price(1), b: price(2) });
    const prepared = await opened.engine.prepare();
    const list = fileURLToPath(String((prepared.updates[0].snapshot as { 'manifest-list': string })['manifest-list']));
    const sound = await readFile(list);
    const before = await latest(opened);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        async (edits, cut) => {
          const bytes = Buffer.from(sound);
          for (const [at, byte] of edits) bytes[at] = byte;
          await writeFile(list, bytes.subarray(0, cut % 3 === 0 ? cut % bytes.length : bytes.length));
          const code = await codeOf(opened.engine.commit({ ...prepared, requirements: [{ type: 'assert-create' }] }));
          expect(code).not.toBeNull();
          const read = await codeOf(opened.engine.commit(prepared));
          if (read === null) return;
          expect(['TW_BAD_REQUEST', 'TW_COMMIT_CONFLICT']).toContain(read);
        },
      ),
      { numRuns: 60, endOnFailure: true },
    );
    const now = await latest(opened);
    // An edit may leave the list as good as it was: then it was taken, once.
    expect([before.n, before.n + 1]).toContain(now.n);
    await expectSound(opened);
  });

  test('and objects without a checksum are errors of the request too', async () => {
    const files = new MemoryTableFiles();
    await files.create('t/metadata/list.avro', new Uint8Array(10));
    files.read = async () => {
      throw new TailwaterError('TW_DATA_DAMAGED', { detail: 'It carries no crc32c.' });
    };
    expect(await codeOf(readForeignSnapshot(files, 't', files.uri('t/metadata/list.avro')))).toBe('TW_BAD_REQUEST');
  });

  test.each(['null', 'deflate'])('of ten million entries, or of what takes no bytes, are not read: %s', async codec => {
    await using opened = await replaceWorld(APPENDED);
    await opened.compacted({ a: price(1) });
    const before = await latest(opened);
    const prepared = await opened.engine.prepare();
    const list = fileURLToPath(String((prepared.updates[0].snapshot as { 'manifest-list': string })['manifest-list']));
    const empty = { type: 'record', name: 'nothing', fields: [] };
    const lists = { type: 'record', name: 'lists', fields: [{ name: 'all', type: { type: 'array', items: 'null' } }] };
    // An array that says it has 2^40 nulls.
    const bomb = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0x00]);
    for (const bytes of [
      await encoded(
        list,
        empty,
        Array.from({ length: 250_000 }, () => ({})),
        codec,
      ),
      container(lists, 1n, bomb),
      container(empty, 10_000_000n, Buffer.alloc(0)),
      container(empty, 2n ** 62n, Buffer.alloc(0)),
    ]) {
      await writeFile(list, bytes);
      expect(await codeOf(opened.engine.commit(prepared))).toBe('TW_BAD_REQUEST');
    }
    expect(await latest(opened)).toEqual(before);
  });
});

async function encoded(path: string, schema: object, records: object[], codec: string): Promise<Buffer> {
  await writeAvro(path, schema, records, codec);
  return readFile(path);
}

/** A container of one block, by the bytes. */
function container(schema: object, count: bigint, data: Buffer): Buffer {
  const sync = Buffer.alloc(16, 7);
  const text = (value: string): Buffer => Buffer.concat([long(BigInt(value.length)), Buffer.from(value)]);
  const header = [long(1n), text('avro.schema'), text(JSON.stringify(schema)), long(0n)];
  return Buffer.concat([Buffer.from('Obj\x01', 'latin1'), ...header, sync, long(count), long(BigInt(data.length)), data, sync]);
}

function long(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = value * 2n;
  for (; left >= 128n; left >>= 7n) bytes.push(Number(left & 127n) | 128);
  return Buffer.from([...bytes, Number(left)]);
}

describe('a rewrite whose commit', () => {
  test('gets no reply is settled by the state itself', async () => {
    await using opened = await replaceWorld(APPENDED);
    await opened.compacted({ a: price(1) });
    const prepared = await opened.engine.prepare();
    const catalog = opened.catalogWith(() => 'reply-lost');
    const [{ metadata }] = await catalog.commit([{ table: { namespace: ['tailwater'], name: 'shop' }, commit: prepared }]);
    expect(metadata).toEqual((await opened.catalog.load({ namespace: ['tailwater'], name: 'shop' })).metadata);
    expect((await latest(opened)).kind).toBe('replace');
    await expectSound(opened);
  });

  test('is lost or cut off leaves only files that the next pruning takes, and those of the engine', async () => {
    await using opened = await replaceWorld(APPENDED);
    await opened.compacted({ a: price(1) });
    const before = await latest(opened);
    const prepared = await opened.engine.prepare();
    const own = await opened.dataFiles();
    const catalog = opened.catalogWith(() => 'request-lost');
    const commit = catalog.commit([{ table: { namespace: ['tailwater'], name: 'shop' }, commit: prepared }]);
    expect(await codeOf(commit)).toBe('TW_OUTCOME_UNKNOWN');
    expect(await latest(opened)).toEqual(before);
    const left = await opened.dataFiles();
    expect(left.length).toBe(own.length + 1);
    await opened.compacted({ b: price(2) });
    const { rowsVersion, changesVersion } = await latest(opened);
    await opened.world.tables.prune(APPENDED, [{ rows: rowsVersion, changes: changesVersion }]);
    const kept = await opened.dataFiles();
    expect(kept.filter(name => left.includes(name) && !own.includes(name))).toEqual([]);
    // The file of a commit whose fate its engine did not learn is the engine's to delete.
    expect((await stat(fileURLToPath(prepared.file))).isFile()).toBe(true);
    await expectSound(opened);
  });

  test('races with a compaction is refused when it comes second, and leaves no copy', async () => {
    await using opened = await replaceWorld(APPENDED);
    await opened.compacted({ a: price(1) });
    const prepared = await opened.engine.prepare();
    let raced = false;
    const table = { namespace: ['tailwater'], name: 'shop' };
    const { world } = opened;
    const { replaceFiles } = world.tables;
    world.tables.replaceFiles = async (...given) => {
      const staged = await replaceFiles!.apply(world.tables, given);
      if (!raced) await opened.compacted({ b: price(2) });
      raced = true;
      return staged;
    };
    expect(await codeOf(opened.catalog.commit([{ table, commit: prepared }]))).toBe('TW_COMMIT_CONFLICT');
    await expectSound(opened);
    const live = (await opened.engine.liveFiles()).map(({ data_file }) => fileURLToPath(data_file.file_path));
    const folder = dirname(live[0]);
    const there = (await readdir(folder)).filter(name => !name.includes('foreign')).map(name => join(folder, name));
    expect(there.sort()).toEqual(live.sort());
    await opened.engine.rewrite();
    await expectSound(opened);
  });
});
