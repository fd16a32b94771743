import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type JsonValue, utf8 } from '../../src/base/index.ts';
import { SchemaFold } from '../../src/lakehouse/columns/infer.ts';
import type { ChangedRow, TableRow, TableSchema, TableStaging, TableVersion, TableVersions } from '../../src/lakehouse/index.ts';
import { analyze } from '../../src/streams/index.ts';
import {
  DIMENSIONS,
  expectRows,
  fixturesOf,
  LANCE_TRAITS,
  plain,
  rowOf,
  seqsOf,
  sorted,
  Table,
  type TableTraits,
  written,
} from './table-rows.ts';
import { hashOf, type TableWorld } from './table-store.ts';

const KEYS = ['a', 'b', 'c', "d'", 'ключ'];
const WORDS = ['harbour', 'tide', 'anchor', 'storm'];

const vector = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: DIMENSIONS, maxLength: DIMENSIONS });
const put = fc.record({
  kind: fc.constant('put' as const),
  key: fc.constantFrom(...KEYS),
  words: fc.array(fc.constantFrom(...WORDS), { maxLength: 3 }),
  price: fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(0.5, 'free', null, true)),
  vector: fc.option(vector),
});
const step = fc.oneof(
  { weight: 5, arbitrary: put },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: fc.constantFrom(...KEYS) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fill' as const), vector }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'widen' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('optimize' as const), compactFragments: fc.boolean() }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Stagings; what one leaves is committed, or abandoned halfway as a crash would. */
const history = fc.array(fc.record({ steps: fc.array(step, { maxLength: 6 }), committed: fc.boolean() }), {
  minLength: 1,
  maxLength: 5,
});

const jsonText = fc.oneof(
  { weight: 4, arbitrary: fc.dictionary(fieldName(), fieldText(), { maxKeys: 6 }).map(objectText) },
  { weight: 1, arbitrary: fc.array(fc.tuple(fieldName(), fieldText()), { maxLength: 4 }).map(textOfFields) },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.jsonValue().map(value => JSON.stringify(value, null, 2)) },
  {
    weight: 1,
    arbitrary: fc
      .dictionary(fieldName(), fieldText(), { maxKeys: 4 })
      .map(fields => ` ${objectText(fields).replaceAll(',', ' , ')}`),
  },
);
const valueBytes = fc.oneof(
  { weight: 9, arbitrary: jsonText.map(utf8) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }) },
);

/** Any history of stagings, and any value, on every implementation of the table port. `runs`: random histories to try. */
export function tableStoreHistories(
  name: string,
  makeWorld: () => Promise<TableWorld>,
  runs: number,
  traits: TableTraits = LANCE_TRAITS,
): void {
  const { UPSERT, APPEND, SCHEMA } = fixturesOf(traits);
  describe(`${name} after any history of stagings`, () => {
    test.each([
      ['upsert', UPSERT],
      ['append', APPEND],
    ])('holds in every version what a plain list of rows holds: %s', async (kind, definition) => {
      let lives = 0;
      const world = await makeWorld();
      await fc.assert(
        fc.asyncProperty(history, async stagings => {
          const table = new Table(world.store, { ...definition, incarnation: `${kind}${++lives}` }, SCHEMA);
          const book = new Book(kind === 'upsert', SCHEMA);
          const kept: { versions: TableVersions; book: Book }[] = [];
          for (const { steps, committed } of stagings) {
            const draft = book.copy();
            const staging = await table.begin();
            for (const each of steps) await draft.perform(staging, each);
            if (!committed) continue;
            const facts = await staging.verify([]);
            expect(facts).toMatchObject(draft.facts());
            table.versions = facts.versions;
            table.schema = draft.schema;
            book.become(draft);
            kept.push({ versions: facts.versions, book: draft });
          }
          for (const each of kept) await expectBook(await table.open(each.versions, each.book.schema), each.book);
        }),
        { numRuns: runs },
      );
      await world.close();
    });

    test('gives every value back byte for byte, before and after its columns grow', async () => {
      const world = await makeWorld();
      let lives = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(valueBytes, { maxLength: 12 }), fc.nat(), async (values, cut) => {
          const table = new Table(world.store, { ...UPSERT, incarnation: `values${++lives}` }, { ...SCHEMA, columns: [] });
          const rows = values.map((value, index) => ({ ...rowOf(index + 1), value }));
          const at = cut % (rows.length + 1);
          const parts = [rows.slice(0, at), rows.slice(at)];
          for (const part of parts) {
            const schema = grown(table.schema, part);
            await table.commit(async staging => {
              await staging.evolve(schema);
              await staging.append(written(part));
              await staging.appendChanges(part.map(row => ({ row: { ...row, seq: row.seq + 100 }, supersededAtMs: 1 })));
            }, schema);
          }
          const version = await table.open();
          await expectRows(version, rows);
          const changed = [...(await version.byOffsets(0, 0, 100, 100)), ...(await version.byOffsets(1, 0, 100, 100))].filter(
            row => row.seq > 100,
          );
          expect(sorted(changed.map(row => ({ ...row, seq: row.seq - 100 })))).toEqual(sorted(rows));
        }),
        { numRuns: runs * 2 },
      );
      await world.close();
    });
  });
}

function grown(schema: TableSchema, rows: readonly TableRow[]): TableSchema {
  const fold = new SchemaFold(schema);
  for (const { value } of rows) {
    try {
      fold.add(JSON.parse(Buffer.from(value!).toString()) as JsonValue);
    } catch {
      // Such a value has no columns.
    }
  }
  return fold.result();
}

/** Names that collide ignoring case, need escapes, or mean something to engines. */
function fieldName(): fc.Arbitrary<string> {
  const known = [
    'a',
    'A',
    'b',
    'a.b',
    '_a',
    'u_a',
    'rowid',
    '_offset',
    '__proto__',
    'constructor',
    '',
    ' ',
    'é',
    'e\u0301',
    'İ',
    '名',
    'a`b',
    "a'b",
    '1',
  ];
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...known) },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 5 }) },
  );
}

/** The JSON text of a field, so that it can be written as no serializer would. */
function fieldText(): fc.Arbitrary<string> {
  const numbers = [
    '9007199254740993',
    '-9223372036854775808',
    '9223372036854775807',
    '9223372036854775808',
    '1e400',
    '-0',
    '-0.0',
    '1.0',
    '1E5',
  ];
  const others = [
    '0.1',
    '1e-7',
    '123456789012345678901234567890',
    '"\\u0041"',
    '"\\ud800"',
    '"\\/"',
    '{"a":1,"a":2}',
    '[ ]',
    '"🦑"',
    'null',
  ];
  return fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...numbers, ...others) },
    {
      weight: 2,
      arbitrary: fc
        .oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean())
        .map(value => JSON.stringify(value)),
    },
    {
      weight: 2,
      arbitrary: fc
        .oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.jsonValue({ maxDepth: 2 }))
        .map(value => JSON.stringify(value)),
    },
  );
}

function objectText(fields: Record<string, string>): string {
  return textOfFields(Object.entries(fields));
}

function textOfFields(fields: readonly [string, string][]): string {
  return `{${fields.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`;
}

/** What a table should hold, as plain lists. */
class Book {
  readonly #upsert: boolean;
  #rows: { row: TableRow; words: string[]; vector: number[] | null }[] = [];
  #changes: TableRow[] = [];
  #seq = 0;
  schema: TableSchema;

  constructor(upsert: boolean, schema: TableSchema) {
    this.#upsert = upsert;
    this.schema = schema;
  }

  get rows(): readonly { row: TableRow; words: string[]; vector: number[] | null }[] {
    return this.#rows;
  }

  get records(): TableRow[] {
    return [...this.#rows.map(({ row }) => row), ...this.#changes];
  }

  copy(): Book {
    const copy = new Book(this.#upsert, this.schema);
    copy.become(this);
    return copy;
  }

  become(other: Book): void {
    this.#rows = [...other.#rows];
    this.#changes = [...other.#changes];
    this.#seq = other.#seq;
    this.schema = other.schema;
  }

  facts(): object {
    const rows = this.#rows.map(({ row }) => row);
    return {
      rowCount: rows.length,
      rowsHash: hashOf(rows),
      changeCount: this.#changes.length,
      changesHash: hashOf(this.#changes),
    };
  }

  async perform(staging: TableStaging, step: Step): Promise<void> {
    if (step.kind === 'put') await this.#put(staging, step);
    else if (step.kind === 'delete') await this.#supersede(staging, rowOf(++this.#seq, { key: step.key, value: null }), true);
    else if (step.kind === 'fill') await this.#fill(staging, step.vector);
    else if (step.kind === 'widen') await this.#widen(staging);
    else await staging.optimize({ textIndex: true, vectorIndex: true, compactFragments: step.compactFragments });
  }

  async #put(staging: TableStaging, { key, words, price, vector }: Extract<Step, { kind: 'put' }>): Promise<void> {
    const row = rowOf(++this.#seq, { key, value: JSON.stringify({ id: key, text: words.join(' '), price }) });
    await this.#supersede(staging, row, false);
    await staging.append(written([row], [vector]));
    this.#rows.push({ row, words, vector });
  }

  /** Moves the older version of the row's key to the changes, and the row itself when it is a deletion. */
  async #supersede(staging: TableStaging, row: TableRow, deletion: boolean): Promise<void> {
    if (!this.#upsert) return;
    const isOlder = (each: TableRow): boolean => Buffer.compare(each.key!, row.key!) === 0;
    const taken = await staging.takeKeys([row.key!], [row.seq]);
    expect(sorted(taken)).toEqual(sorted(this.#rows.map(each => each.row).filter(isOlder)));
    const changes: ChangedRow[] = [...taken, ...(deletion ? [row] : [])].map(each => ({
      row: each,
      supersededAtMs: row.ingestedAtMs,
    }));
    await staging.appendChanges(changes);
    this.#rows = this.#rows.filter(each => !isOlder(each.row));
    this.#changes.push(...changes.map(change => change.row));
  }

  async #fill(staging: TableStaging, vector: number[]): Promise<void> {
    if (this.schema.dimensions === null) return;
    const empty = this.#rows.filter(each => each.vector === null);
    await staging.setVectors(
      empty.map(({ row }) => row.seq),
      new Float32Array(empty.flatMap(() => vector)),
    );
    this.#rows = this.#rows.map(each => (each.vector === null ? { ...each, vector } : each));
  }

  async #widen(staging: TableStaging): Promise<void> {
    if (this.schema.id > 1) return;
    const columns = this.schema.columns.map(column =>
      column.name === 'price' ? { ...column, type: 'float64' as const } : column,
    );
    this.schema = { ...this.schema, id: 2, columns: [...columns, { name: 'more', path: 'more', type: 'json' }] };
    await staging.evolve(this.schema);
  }
}

async function expectBook(version: TableVersion, book: Book): Promise<void> {
  await expectRows(
    version,
    book.rows.map(({ row }) => row),
  );
  expect(await version.countRows()).toBe(book.rows.length);
  const keys = KEYS.slice(0, 3).map(utf8);
  const wanted = book.rows.filter(({ row }) => keys.some(key => Buffer.compare(key, row.key!) === 0));
  expect(sorted(await version.byKeys(keys))).toEqual(sorted(wanted.map(({ row }) => row)));
  for (const partition of [0, 1]) {
    const expected = book.records.filter(row => row.partition === partition).sort((a, b) => a.offset - b.offset);
    expect((await version.byOffsets(partition, 0, 1_000, 1_000)).map(plain)).toEqual(expected.map(plain));
  }
  if (!book.schema.text) return;
  for (const word of WORDS) {
    const found = await version.searchText(word, 1_000, null);
    expect(seqsOf(found)).toEqual(seqsOf(book.rows.filter(each => each.words.includes(word)).map(({ row }) => row)));
    for (const each of found) expect(analyze(each.text!)).toContain(analyze(word)[0]);
  }
  await expectNearest(version, book);
}

async function expectNearest(version: TableVersion, book: Book): Promise<void> {
  const query = [1, 2, -1];
  const found = await version.searchVector(new Float32Array(query), 1_000, null);
  const expected = new Map(
    book.rows.flatMap(({ row, vector }) => (vector?.some(each => each !== 0) ? [[row.seq, distance(query, vector)]] : [])),
  );
  const zero = new Set(book.rows.flatMap(({ row, vector }) => (vector?.every(each => each === 0) ? [row.seq] : [])));
  expect(seqsOf(found.filter(({ seq }) => !zero.has(seq)))).toEqual([...expected.keys()].sort((a, b) => a - b));
  for (const { seq, distance: own } of found) if (expected.has(seq)) expect(own).toBeCloseTo(expected.get(seq)!, 5);
  const distances = found.map(each => each.distance!);
  expect(distances).toEqual([...distances].sort((a, b) => a - b));
}

function distance(a: readonly number[], b: readonly number[]): number {
  const dot = a.reduce((sum, each, index) => sum + each * b[index], 0);
  return 1 - dot / (Math.hypot(...a) * Math.hypot(...b));
}
