import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/index.ts';
import { exactJsonText, type JsonMap, parseExactJson } from '../../src/lakehouse/iceberg/exact-json.ts';
import { MemoryObjectStore } from '../../src/storage/index.ts';
import { FaultyObjectStore } from '../harness/faulty-object-store.ts';
import { VirtualClock } from '../harness/virtual-clock.ts';
import {
  atSnapshot,
  catalogWorld,
  codeOf,
  commit,
  MemoryTableFiles,
  SCHEMA,
  snapshotUpdates,
  TABLE,
  withTable,
} from './catalog-world.ts';

describe('commits of an Iceberg catalog', () => {
  test('of racing commits on one snapshot exactly one wins, whatever replies are lost', async () => {
    const faults = fc.record({
      lostRequest: fc.constantFrom(0, 0.2),
      lostReply: fc.constantFrom(0, 0.3),
      late: fc.constantFrom(0, 0.2),
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 2, max: 8 }), faults, async (seed, writers, rates) => {
        const random = seededRandom(seed);
        const clock = new VirtualClock();
        const memory = new MemoryObjectStore();
        const files = new MemoryTableFiles();
        const before = await withTable(catalogWorld({ store: memory, files, random }));
        const store = new FaultyObjectStore(memory, clock, random, { ...rates, maxDelayMs: 5, lateMs: 20 });
        const racers = Array.from({ length: writers }, (_, at) => {
          const { catalog } = catalogWorld({ store, files, random, clock });
          return codeOf(commit(catalog, [atSnapshot(null)], snapshotUpdates(at + 1, 1)));
        });
        const codes = await clock.run(Promise.all(racers));
        await clock.advance(1_000);
        const { metadata } = await catalogWorld({ store: memory, files }).catalog.load(TABLE);
        const current = Number(metadata['current-snapshot-id']);
        const inDoubt = codes.filter(code => code === 'TW_OUTCOME_UNKNOWN').length;
        const winners = codes.flatMap((code, at) => (code === null ? [at + 1] : []));
        // Who was told that it won is the one that the table shows; nobody else was told so.
        expect(winners.length).toBeLessThanOrEqual(1);
        if (winners.length === 1) expect(current).toBe(winners[0]);
        else expect(inDoubt).toBeGreaterThan(0);
        if (inDoubt === 0) expect(winners.length).toBe(1);
        expect(codes.filter(code => ![null, 'TW_COMMIT_CONFLICT', 'TW_OUTCOME_UNKNOWN'].includes(code))).toEqual([]);
        expect(metadata['table-uuid']).toBe(before.metadata['table-uuid']);
      }),
      { numRuns: 60 },
    );
  });

  test('racing commits that do not exclude each other all take effect', async () => {
    const world = catalogWorld();
    await withTable(world);
    const racers = Array.from({ length: 6 }, (_, at) =>
      commit(world.catalog, [], [{ action: 'set-properties', updates: { [`p${at}`]: String(at) } }]),
    );
    await Promise.all(racers);
    const { metadata } = await world.catalog.load(TABLE);
    expect(metadata.properties).toEqual({ p0: '0', p1: '1', p2: '2', p3: '3', p4: '4', p5: '5' });
    expect(metadata['metadata-log'].length).toBe(6);
    // What lost a race left no metadata behind: one file for the creation and for each commit.
    expect(world.files.files.size).toBe(7);
  });

  test('a transaction takes effect in all of its tables, or in none', async () => {
    const world = catalogWorld();
    const other = { namespace: ['lab'], name: 'others' };
    await withTable(world);
    await withTable(world, other);
    const change = (table: typeof TABLE, requirements: JsonMap[]) => ({
      table,
      commit: { requirements, updates: [{ action: 'set-properties', updates: { seen: 'yes' } }] },
    });
    const stale = [{ type: 'assert-current-schema-id', 'current-schema-id': 7 }];
    expect(await codeOf(world.catalog.commit([change(TABLE, []), change(other, stale)]))).toBe('TW_COMMIT_CONFLICT');
    expect((await world.catalog.load(TABLE)).metadata.properties).toEqual({});
    await world.catalog.commit([change(TABLE, []), change(other, [])]);
    for (const table of [TABLE, other]) expect((await world.catalog.load(table)).metadata.properties).toEqual({ seen: 'yes' });
    expect(await codeOf(world.catalog.commit([change(TABLE, []), change(TABLE, [])]))).toBe('TW_BAD_REQUEST');
  });

  test('a commit takes effect exactly if each of its requirements holds of a plain model of the table', async () => {
    const step = fc.record({
      column: fc.boolean(),
      snapshot: fc.boolean(),
      asserted: fc.array(fc.constantFrom('schema', 'field', 'main', 'tag', 'spec', 'order', 'uuid', 'partition'), {
        maxLength: 3,
      }),
      wrong: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async steps => {
        const world = catalogWorld();
        const uuid = (await withTable(world)).metadata['table-uuid'];
        const model = { schema: 0, field: 3, main: null as number | null, snapshots: 0 };
        for (const { column, snapshot, asserted, wrong } of steps) {
          const off = wrong ? 1 : 0;
          const requirements = asserted.map(each => requirementOf(each, model, uuid, off));
          const updates = [
            ...(column ? columnUpdates(model.field + 1) : []),
            ...(snapshot ? snapshotUpdates(model.snapshots + 1, model.snapshots + 1) : []),
          ];
          const code = await codeOf(commit(world.catalog, requirements, updates));
          expect(code).toBe(wrong && asserted.length > 0 ? 'TW_COMMIT_CONFLICT' : null);
          if (code === null && column) Object.assign(model, { schema: model.schema + 1, field: model.field + 1 });
          if (code === null && snapshot) Object.assign(model, { main: model.snapshots + 1, snapshots: model.snapshots + 1 });
          const { metadata } = await world.catalog.load(TABLE);
          expect(metadata).toMatchObject({
            'current-schema-id': model.schema,
            'last-column-id': model.field,
            'current-snapshot-id': model.main ?? -1,
            'last-sequence-number': model.snapshots,
          });
          expect(metadata.snapshots.length).toBe(model.snapshots);
          expect(metadata['snapshot-log'].length).toBe(model.snapshots);
        }
      }),
      { numRuns: 80 },
    );
  });

  test('identifiers beyond 2^53, as other engines draw them, keep every digit', async () => {
    const world = catalogWorld();
    await withTable(world);
    const id = 9_007_199_254_740_993n;
    await commit(world.catalog, [atSnapshot(null)], snapshotUpdates(id, 1));
    expect(await codeOf(commit(world.catalog, [atSnapshot(9_007_199_254_740_992n)], []))).toBe('TW_COMMIT_CONFLICT');
    await commit(world.catalog, [atSnapshot(id)], snapshotUpdates(id + 1n, 2));
    await commit(world.catalog, [], [{ action: 'remove-snapshots', 'snapshot-ids': [id] }]);
    const { metadata } = await world.catalog.load(TABLE);
    expect(metadata['current-snapshot-id']).toBe(id + 1n);
    expect(metadata.snapshots.length).toBe(1);
    const text = '{"a":9007199254740993,"b":[-9007199254740995,1.5,12]}';
    expect(exactJsonText(parseExactJson(Buffer.from(text)))).toBe(text);
  });
});

function columnUpdates(id: number): JsonMap[] {
  const added = Array.from({ length: id - 3 }, (_, at) => ({ id: at + 4, name: `c${at + 4}`, required: false, type: 'string' }));
  const fields = [
    { id: 1, name: 'id', required: true, type: 'long' },
    {
      id: 2,
      name: 'place',
      required: false,
      type: { type: 'struct', fields: [{ id: 3, name: 'city', required: false, type: 'string' }] },
    },
    ...added,
  ];
  return [
    { action: 'add-schema', schema: { type: 'struct', fields } },
    { action: 'set-current-schema', 'schema-id': -1 },
  ];
}

function requirementOf(
  what: string,
  model: { schema: number; field: number; main: number | null },
  uuid: string,
  off: number,
): JsonMap {
  switch (what) {
    case 'schema':
      return { type: 'assert-current-schema-id', 'current-schema-id': model.schema + off };
    case 'field':
      return { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': model.field + off };
    case 'main':
      return atSnapshot(off === 0 ? model.main : 4_711);
    case 'tag':
      return { type: 'assert-ref-snapshot-id', ref: 'release', 'snapshot-id': off === 0 ? null : 1 };
    case 'spec':
      return { type: 'assert-default-spec-id', 'default-spec-id': off };
    case 'order':
      return { type: 'assert-default-sort-order-id', 'default-sort-order-id': off };
    case 'partition':
      return { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': 999 + off };
    default:
      return { type: 'assert-table-uuid', uuid: off === 0 ? uuid : '00000000-0000-4000-8000-000000000000' };
  }
}

describe('what an Iceberg catalog refuses', () => {
  const column = (type: string): JsonMap => ({
    action: 'add-schema',
    schema: { type: 'struct', fields: [{ id: 1, name: 'id', required: true, type }] },
  });
  const refused: Record<string, [string, JsonMap[], JsonMap[]]> = {
    'an unknown requirement': ['TW_BAD_REQUEST', [{ type: 'assert-weather' }], []],
    'an unknown update': ['TW_BAD_REQUEST', [], [{ action: 'add-weather' }]],
    'names of built-in members': ['TW_BAD_REQUEST', [{ type: 'constructor' }], [{ action: 'toString' }]],
    'a later format version': ['TW_BAD_REQUEST', [], [{ action: 'upgrade-format-version', 'format-version': 3 }]],
    'an earlier format version': ['TW_BAD_REQUEST', [], [{ action: 'upgrade-format-version', 'format-version': 1 }]],
    'a type that cannot hold the values': ['TW_BAD_REQUEST', [], [column('string')]],
    'a type of a later format': ['TW_BAD_REQUEST', [], [column('variant')]],
    'another UUID': ['TW_BAD_REQUEST', [], [{ action: 'assign-uuid', uuid: '00000000-0000-4000-8000-000000000000' }]],
    'a location elsewhere': ['TW_BAD_REQUEST', [], [{ action: 'set-location', location: 'file:///etc' }]],
    'a location that leaves the folder': [
      'TW_BAD_REQUEST',
      [],
      [{ action: 'set-location', location: 'file:///warehouse/../etc' }],
    ],
    'a location that climbs out of its folder': [
      'TW_BAD_REQUEST',
      [],
      [{ action: 'set-location', location: '<own>/a/../../etc' }],
    ],
    'a reference to no snapshot': [
      'TW_BAD_REQUEST',
      [],
      [{ action: 'set-snapshot-ref', 'ref-name': 'x', type: 'tag', 'snapshot-id': 5 }],
    ],
    'a schema that is not there': ['TW_BAD_REQUEST', [], [{ action: 'set-current-schema', 'schema-id': 9 }]],
    'the last schema where none was added': ['TW_BAD_REQUEST', [], [{ action: 'set-current-schema', 'schema-id': -1 }]],
    'a partition by a column that is not there': [
      'TW_BAD_REQUEST',
      [],
      [{ action: 'add-spec', spec: { fields: [{ 'source-id': 99, name: 'x', transform: 'day' }] } }],
    ],
    'a snapshot that is numbered too low': ['TW_COMMIT_CONFLICT', [], snapshotUpdates(5, 0)],
    'a second creation': ['TW_TABLE_EXISTS', [{ type: 'assert-create' }], []],
    'properties that are not texts': ['TW_BAD_REQUEST', [], [{ action: 'set-properties', updates: { a: 1 } }]],
  };
  for (const [what, [code, requirements, updates]] of Object.entries(refused)) {
    test(`${what} changes nothing`, async () => {
      const world = catalogWorld();
      const before = await withTable(world);
      // What comes before the fault in the same commit must not take effect either.
      const first = { action: 'set-properties', updates: { half: 'done' } };
      const own = JSON.parse(JSON.stringify(updates).replace('<own>', before.metadata.location));
      expect(await codeOf(commit(world.catalog, requirements, [first, ...own]))).toBe(code);
      expect(await world.catalog.load(TABLE)).toEqual(before);
      expect(world.files.files.size).toBe(1);
    });
  }

  test('damaged metadata are named, and not served', async () => {
    const world = catalogWorld();
    await withTable(world);
    for (const [name, bytes] of world.files.files)
      world.files.files.set(
        name,
        bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
      );
    expect(await codeOf(world.catalog.load(TABLE))).toBe('TW_DATA_DAMAGED');
  });

  test('names that are none, and namespaces of streams', async () => {
    const { catalog } = catalogWorld();
    expect(await codeOf(catalog.create({ namespace: ['tailwater'], name: 'x' }, { name: 'x', schema: SCHEMA }, false))).toBe(
      'TW_TABLE_OF_STREAM',
    );
    expect(await codeOf(catalog.createNamespace(['tailwater'], {}))).toBe('TW_NAMESPACE_EXISTS');
    expect(await codeOf(catalog.dropNamespace(['tailwater_changes']))).toBe('TW_TABLE_OF_STREAM');
    expect(await codeOf(catalog.tables(['nowhere']))).toBe('TW_NAMESPACE_NOT_FOUND');
    expect(await codeOf(catalog.load({ namespace: ['nowhere'], name: 'x' }))).toBe('TW_TABLE_NOT_FOUND');
    expect(await codeOf(catalog.create({ namespace: ['nowhere'], name: 'x' }, { name: 'x', schema: SCHEMA }, false))).toBe(
      'TW_NAMESPACE_NOT_FOUND',
    );
  });
});

describe('tables of an Iceberg catalog', () => {
  test('columns of a new table are numbered level by level, and all that names them follows', async () => {
    const world = catalogWorld();
    await world.catalog.createNamespace(['lab'], {});
    const body: JsonMap = {
      name: 'visits',
      schema: { ...SCHEMA, 'identifier-field-ids': [0] },
      'partition-spec': { fields: [{ 'source-id': 2, name: 'city', transform: 'identity' }] },
      'write-order': {
        'order-id': 5,
        fields: [{ 'source-id': 0, transform: 'identity', direction: 'asc', 'null-order': 'nulls-last' }],
      },
      properties: { 'format-version': '2', owner: 'lab' },
    };
    const { metadata } = await world.catalog.create(TABLE, body, false);
    expect(metadata.schemas).toEqual([
      {
        type: 'struct',
        'schema-id': 0,
        'identifier-field-ids': [1],
        fields: [
          { id: 1, name: 'id', required: true, type: 'long' },
          {
            id: 2,
            name: 'place',
            required: false,
            type: { type: 'struct', fields: [{ id: 3, name: 'city', required: false, type: 'string' }] },
          },
        ],
      },
    ]);
    const spec = { 'spec-id': 0, fields: [{ 'source-id': 3, 'field-id': 1000, name: 'city', transform: 'identity' }] };
    expect(metadata).toMatchObject({
      'partition-specs': [spec],
      'last-partition-id': 1000,
      'last-column-id': 3,
      properties: { owner: 'lab' },
    });
    expect(metadata['sort-orders'][0]).toMatchObject({ 'order-id': 1, fields: [{ 'source-id': 1 }] });
  });

  test('a staged table is nowhere until its commit, and then what was committed', async () => {
    const world = catalogWorld();
    await world.catalog.createNamespace(['lab'], {});
    const staged = await world.catalog.create(TABLE, { name: TABLE.name, schema: SCHEMA }, true);
    expect(staged.location).toBeNull();
    expect(await world.catalog.tables(['lab'])).toEqual([]);
    const { metadata } = staged;
    const updates: JsonMap[] = [
      { action: 'assign-uuid', uuid: metadata['table-uuid'] },
      { action: 'upgrade-format-version', 'format-version': 2 },
      { action: 'add-schema', schema: metadata.schemas[0] as unknown as JsonMap },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'add-spec', spec: metadata['partition-specs'][0] as unknown as JsonMap },
      { action: 'set-default-spec', 'spec-id': -1 },
      { action: 'add-sort-order', 'sort-order': metadata['sort-orders'][0] as unknown as JsonMap },
      { action: 'set-default-sort-order', 'sort-order-id': -1 },
      { action: 'set-location', location: metadata.location },
      ...snapshotUpdates(1, 1),
    ];
    const racers = [1, 2, 3].map(() => codeOf(commit(world.catalog, [{ type: 'assert-create' }], updates)));
    expect((await Promise.all(racers)).sort()).toEqual(['TW_TABLE_EXISTS', 'TW_TABLE_EXISTS', null]);
    const loaded = await world.catalog.load(TABLE);
    expect(loaded.metadata).toMatchObject({
      'table-uuid': metadata['table-uuid'],
      location: metadata.location,
      'current-snapshot-id': 1,
    });
    const elsewhere = { namespace: ['lab'], name: 'copy' };
    expect(await codeOf(commit(world.catalog, [{ type: 'assert-create' }], updates, elsewhere))).toBe('TW_BAD_REQUEST');
  });

  test('a renamed table is the same table; a dropped one leaves its files unless they are asked away', async () => {
    const world = catalogWorld();
    const before = await withTable(world);
    const moved = { namespace: ['lab'], name: 'moved' };
    await world.catalog.rename(TABLE, moved);
    expect(await world.catalog.load(moved)).toEqual(before);
    expect(await codeOf(world.catalog.load(TABLE))).toBe('TW_TABLE_NOT_FOUND');
    expect(await codeOf(world.catalog.dropNamespace(['lab']))).toBe('TW_NAMESPACE_NOT_EMPTY');
    await world.catalog.drop(moved, false);
    expect(world.files.files.size).toBe(1);
    await withTable(world);
    await world.catalog.drop(TABLE, true);
    expect(world.files.files.size).toBe(1);
    expect(await codeOf(world.catalog.drop(TABLE, true))).toBe('TW_TABLE_NOT_FOUND');
    await world.catalog.dropNamespace(['lab']);
    expect(await codeOf(world.catalog.namespace(['lab']))).toBe('TW_NAMESPACE_NOT_FOUND');
  });

  test('the log of snapshots ends where a removed one was, and references go with their snapshots', async () => {
    const world = catalogWorld();
    await withTable(world);
    for (const id of [1, 2, 3]) await commit(world.catalog, [], snapshotUpdates(id, id));
    await commit(
      world.catalog,
      [],
      [{ action: 'set-snapshot-ref', 'ref-name': 'old', type: 'tag', 'snapshot-id': 2, 'max-ref-age-ms': 5 }],
    );
    await commit(world.catalog, [], [{ action: 'remove-snapshots', 'snapshot-ids': [2] }]);
    const { metadata } = await world.catalog.load(TABLE);
    expect(metadata['snapshot-log'].map(entry => entry['snapshot-id'])).toEqual([3]);
    expect(metadata.refs).toEqual({ main: { type: 'branch', 'snapshot-id': 3 } });
    expect(await codeOf(commit(world.catalog, [], [{ action: 'remove-snapshots', 'snapshot-ids': [3] }]))).toBe('TW_BAD_REQUEST');
  });

  test('earlier metadata files go when they are listed no more, where the table asks for it', async () => {
    const world = catalogWorld();
    await withTable(world);
    const settings = { 'write.metadata.previous-versions-max': '2', 'write.metadata.delete-after-commit.enabled': 'true' };
    await commit(world.catalog, [], [{ action: 'set-properties', updates: settings }]);
    for (const id of [1, 2, 3, 4]) await commit(world.catalog, [], snapshotUpdates(id, id));
    const { metadata, location } = await world.catalog.load(TABLE);
    const named = [...metadata['metadata-log'].map(entry => entry['metadata-file']), location];
    expect([...world.files.files.keys()].map(name => world.files.uri(name)).sort()).toEqual(named.sort());
    expect(named.length).toBe(3);
  });

  test('namespaces have levels, and are listed one level at a time', async () => {
    const { catalog } = catalogWorld();
    await catalog.createNamespace(['a'], { owner: 'x' });
    await catalog.createNamespace(['a', 'b'], {});
    expect(await catalog.namespaces(null)).toEqual([['tailwater'], ['tailwater_changes'], ['a']]);
    expect(await catalog.namespaces(['a'])).toEqual([['a', 'b']]);
    const changed = await catalog.changeProperties(['a'], { removals: ['owner', 'none'], updates: { size: '1' } });
    expect(changed).toEqual({ updated: ['size'], removed: ['owner'], missing: ['none'] });
    expect(await catalog.namespace(['a'])).toEqual({ size: '1' });
    expect(await codeOf(catalog.changeProperties(['a'], { removals: ['size'], updates: { size: '2' } }))).toBe(
      'TW_CONTRADICTION',
    );
    expect(await codeOf(catalog.dropNamespace(['a']))).toBe('TW_NAMESPACE_NOT_EMPTY');
  });
});
