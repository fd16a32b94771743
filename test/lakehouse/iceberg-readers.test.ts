import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { icebergRead } from 'icebird';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fromUtf8, isJsonObject, seededRandom, utf8 } from '../../src/base/index.ts';
import { LocalTableFiles } from '../../src/lakehouse/iceberg/table-files.ts';
import { IcebergTableStore, type TableSchema } from '../../src/lakehouse/index.ts';
import { fixturesOf, rowOf, scanned, Table } from '../conformance/table-rows.ts';

/** Tables over HTTP, as icebird reads them: the addresses in manifests are of this server. */
let folder: string;
let server: Server;
let store: IcebergTableStore;
let base: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailwater-icebird-'));
  server = createServer(async (request, response) => {
    const path = join(folder, new URL(request.url ?? '/', 'http://localhost').pathname);
    const size = (await stat(path).catch(() => null))?.size;
    if (size === undefined) return void response.writeHead(404).end();
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = range === null ? 0 : Number(range[1]);
    const end = range === null || range[2] === '' ? size - 1 : Number(range[2]);
    response.writeHead(range === null ? 200 : 206, { 'content-length': end - start + 1, 'accept-ranges': 'bytes' });
    if (request.method === 'HEAD') response.end();
    else createReadStream(path, { start, end }).pipe(response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const local = new LocalTableFiles(folder);
  const files = new Proxy(local, {
    get: (target, name) => {
      if (name === 'uri') return (path: string) => `${base}/${path}`;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  store = await IcebergTableStore.open(folder, { files });
});

afterAll(async () => {
  await store.close();
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

const { UPSERT, SCHEMA } = fixturesOf({ search: false, isolated: true, format: 'iceberg' });

const WIDE: TableSchema = {
  ...SCHEMA,
  id: 2,
  columns: [
    ...SCHEMA.columns.map(column => (column.name === 'price' ? { ...column, type: 'float64' as const } : column)),
    { name: 'flag', path: 'flag', type: 'bool' },
  ],
};

type Plain = Record<string, unknown>;

/** What icebird finds in the newest version. */
async function asIcebird(table: Table): Promise<Plain[]> {
  const metadataFileName = `v${table.versions!.rows}.metadata.json`;
  const rows = await icebergRead({ tableUrl: `${base}/${table.definition.incarnation}/rows`, metadataFileName });
  return rows
    .map(row => ({
      seq: Number(row._seq),
      partition: Number(row._stream_partition),
      offset: Number(row._offset),
      key: row._key_text,
      time: row._time instanceof Date ? row._time.getTime() : row._time,
      id: row.id,
      text: row.text,
      price: row.price == null ? null : Number(row.price),
      flag: row.flag ?? null,
    }))
    .sort((one, other) => one.seq - other.seq);
}

/** The same from Tailwater's own reader, by the bytes of the records. */
async function asTailwater(table: Table): Promise<Plain[]> {
  const rows = await scanned(await table.open());
  return rows
    .map(row => {
      const value: unknown = JSON.parse(fromUtf8(row.value!));
      const { id, text, price = null, flag = null } = isJsonObject(value) ? value : {};
      const { seq, partition, offset, timeMs } = row;
      return { seq, partition, offset, key: fromUtf8(row.key!), time: timeMs, id, text, price, flag };
    })
    .sort((one, other) => one.seq - other.seq);
}

describe('icebird, which knows nothing of Tailwater,', () => {
  test.each([
    ['as they come', []],
    [
      'partitioned',
      [
        { column: '_time', transform: 'day' as const },
        { column: 'id', transform: 'bucket' as const, buckets: 3 },
      ],
    ],
  ])(
    'finds the rows that Tailwater finds, after upserts, deletions, new columns, wider ones and merges: %s',
    async (name, partitionBy) => {
      const definition = {
        ...UPSERT,
        incarnation: name.replaceAll(' ', '-'),
        table: { format: 'iceberg' as const, partitionBy, sortBy: [] },
      };
      const table = new Table(store, definition, SCHEMA);
      const random = seededRandom(11);
      let seq = 0;
      for (let round = 0; round < 6; round++) {
        const schema = round < 3 ? SCHEMA : WIDE;
        await table.commit(async staging => {
          if (round === 3) await staging.evolve(WIDE);
          const ids = Array.from({ length: 12 }, () => Math.floor(random.float() * 25));
          const keys = [...new Set(ids.map(id => `k${id}`))];
          const taken = await staging.takeKeys(
            keys.map(utf8),
            keys.map(() => seq + 1),
          );
          const rows = keys.slice(round === 0 ? 0 : 2).map(key => {
            seq++;
            const value = {
              id: key,
              text: `note ${seq}`,
              price: round < 3 ? seq : seq + 0.25,
              ...(round < 3 ? {} : { flag: seq % 2 === 0 }),
            };
            return rowOf(seq, { key, value: JSON.stringify(value), timeMs: 1_767_225_600_000 + seq * 7_200_000 });
          });
          await staging.append({ rows });
          await staging.appendChanges(taken.map(row => ({ row, supersededAtMs: row.ingestedAtMs })));
          if (round === 4) await staging.optimize({ textIndex: false, vectorIndex: false, compactFragments: true });
        }, schema);
        const found = await asIcebird(table);
        expect(found.length).toBeGreaterThan(5);
        expect(found).toEqual(await asTailwater(table));
      }
    },
  );
});
