import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isTailwaterError, type JsonValue } from '../../src/base/index.ts';
import { filterPaths, matches, parseFilter } from '../../src/streams/index.ts';

const value = {
  name: 'Ada',
  age: 36,
  ratio: 1.5,
  zero: -0,
  active: true,
  nothing: null,
  tags: ['math', 'engine', 3, null, { deep: [1] }],
  address: { city: 'London', geo: { lat: 51.5 } },
  'dotted.name': 'own',
  '': 'empty name',
};

function holds(filter: JsonValue, of: JsonValue = value): boolean {
  return matches(parseFilter(filter), of);
}

const scalar = fc.oneof(fc.constant(null), fc.boolean(), fc.integer({ min: -3, max: 3 }), fc.constantFrom('', 'a', 'b', 'ab'));
const json: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>(tie => ({
  value: fc.oneof(
    { maxDepth: 2 },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { maxKeys: 3 }),
  ),
})).value;
const record = fc.dictionary(fc.constantFrom('a', 'b'), json, { maxKeys: 2 });

describe('what a filter finds', () => {
  test.each<[JsonValue, boolean]>([
    [{}, true],
    [{ name: 'Ada' }, true],
    [{ name: 'ada' }, false],
    [{ name: { $eq: 'Ada' }, age: { $gte: 36, $lt: 37 } }, true],
    [{ name: 'Ada', age: 37 }, false],
    [{ age: 36.0 }, true],
    [{ age: '36' }, false],
    [{ zero: 0 }, true],
    [{ active: { $ne: false } }, true],
    [{ 'address.geo.lat': { $gt: 51 } }, true],
    [{ 'dotted.name': 'own' }, true],
    [{ 'tags.0': 'math' }, false],
    [{ address: { geo: { lat: 51.5 }, city: 'London' } }, true],
    [{ address: { city: 'London' } }, false],
    [{ tags: { $contains: 'engine' } }, true],
    [{ tags: { $contains: { deep: [1] } } }, true],
    [{ tags: { $contains: null } }, true],
    [{ tags: { $contains: 'math,engine' } }, false],
    [{ name: { $contains: 'd' } }, true],
    [{ age: { $contains: 3 } }, false],
    [{ age: { $in: [1, 36] } }, true],
    [{ address: { $in: ['London', { city: 'London', geo: { lat: 51.5 } }] } }, true],
    [{ age: { $nin: [1, 36] } }, false],
    [{ age: { $gt: '3' } }, false],
    [{ active: { $gte: 1 } }, false],
    [{ nothing: { $lte: 0 } }, false],
    [{ $or: [{ name: 'Bob' }, { age: { $gt: 30 } }] }, true],
    [{ $and: [{ name: 'Ada' }, { age: { $gt: 40 } }] }, false],
    [{ $not: { name: 'Bob' } }, true],
    [{ age: { $not: { $gt: 40 } } }, true],
    [{ missing: { $not: { $gt: 40 } } }, true],
  ])('%j: %s', (filter, expected) => {
    expect(holds(filter)).toBe(expected);
  });

  test('null is a value, absence is not', () => {
    expect(holds({ nothing: null })).toBe(true);
    expect(holds({ missing: null })).toBe(false);
    expect(holds({ nothing: { $exists: true } })).toBe(true);
    expect(holds({ missing: { $exists: false } })).toBe(true);
    expect(holds({ missing: { $ne: null }, gone: { $nin: [1] } })).toBe(true);
  });

  test('inherited names are not fields', () => {
    expect(holds({ constructor: { $exists: true } })).toBe(false);
    expect(holds({ __proto__: { $exists: true } })).toBe(true);
    expect(holds(JSON.parse('{"__proto__":{"$exists":true}}'), JSON.parse('{"__proto__":1}'))).toBe(true);
  });

  test('integers beyond 2^53 compare as doubles', () => {
    expect(holds(JSON.parse('{"n":9007199254740993}'), JSON.parse('{"n":9007199254740992}'))).toBe(true);
  });
});

describe('laws of filters', () => {
  test('$ne, $nin and $not are the complements of $eq, $in and their filter', () => {
    fc.assert(
      fc.property(record, json, fc.array(json, { maxLength: 3 }), (of, a, list) => {
        expect(holds({ a: { $ne: a } }, of)).toBe(!holds({ a: { $eq: a } }, of));
        expect(holds({ a: { $nin: list } }, of)).toBe(!holds({ a: { $in: list } }, of));
        expect(holds({ $not: { a: { $eq: a } } }, of)).toBe(holds({ a: { $not: { $eq: a } } }, of));
      }),
    );
  });

  test('$in is the $or of $eq; $eq is equality of JSON values', () => {
    fc.assert(
      fc.property(record, fc.array(json, { minLength: 1, maxLength: 3 }), (of, list) => {
        expect(holds({ a: { $in: list } }, of)).toBe(holds({ $or: list.map(a => ({ a: { $eq: a } })) }, of));
        expect(holds({ a: { $in: list } }, of)).toBe('a' in of && list.some(a => canonical(a) === canonical(of.a)));
      }),
    );
  });

  test('$or of negations is the negation of $and', () => {
    fc.assert(
      fc.property(record, json, json, (of, a, b) => {
        const parts = [{ a: { $eq: a } }, { b: { $contains: b } }];
        expect(holds({ $not: { $and: parts } }, of)).toBe(holds({ $or: parts.map(part => ({ $not: part })) }, of));
      }),
    );
  });

  test('strings are ordered by code point, as their UTF-8 bytes are', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'é', '\ud7ff', '\ue000', '\uffff', '😀', '𐀀'), maxLength: 3 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        const order = Buffer.compare(Buffer.from(a), Buffer.from(b));
        expect(holds({ a: { $gt: b } }, { a })).toBe(order > 0);
        expect(holds({ a: { $gte: b } }, { a })).toBe(order >= 0);
        expect(holds({ a: { $lt: b } }, { a })).toBe(order < 0);
        expect(holds({ a: { $lte: b } }, { a })).toBe(order <= 0);
      }),
    );
  });

  test('the paths of a filter are those it reads', () => {
    const filter = parseFilter({
      $or: [{ a: 1 }, { $not: { 'b.c': { $exists: true, $ne: 2 } } }],
      a: { $gt: 1 },
      d: { $in: [] },
    });
    expect(filterPaths(filter)).toEqual(['a', 'b.c', 'd']);
    expect(filterPaths(parseFilter({}))).toEqual([]);
  });
});

describe('a filter that cannot be', () => {
  test.each<[JsonValue, string]>([
    [null, 'filter'],
    [[], 'filter'],
    ['a', 'filter'],
    [{ $nor: [] }, 'filter.$nor'],
    [{ $and: [] }, 'filter.$and'],
    [{ $or: { a: 1 } }, 'filter.$or'],
    [{ $or: [{ a: 1 }, 5] }, 'filter.$or[1]'],
    [{ $not: 3 }, 'filter.$not'],
    [{ a: { $like: 'x' } }, 'filter.a.$like'],
    [{ a: { $gt: null } }, 'filter.a.$gt'],
    [{ a: { $gt: [1] } }, 'filter.a.$gt'],
    [{ a: { $in: 3 } }, 'filter.a.$in'],
    [{ a: { $exists: 1 } }, 'filter.a.$exists'],
    [{ a: { $gt: 1, b: 2 } }, 'filter.a'],
    [{ a: { $not: 5 } }, 'filter.a.$not'],
    [{ a: { toString: 1, $eq: 1 } }, 'filter.a'],
    [{ '': 1 }, 'filter.'],
  ])('%j names the place %s', (filter, path) => {
    const error = thrownBy(() => parseFilter(filter));
    expect(isTailwaterError(error, 'TW_BAD_REQUEST') && error.data?.path).toBe(path);
  });

  test('lists and conditions are bounded', () => {
    const many = new Array(1_000).fill({ a: 1 });
    expect(holds({ $or: many }, { a: 1 })).toBe(true);
    for (const filter of [{ $or: [...many, { a: 1 }] }, { $or: many, b: 1 }, { a: { $in: new Array(10_001).fill(1) } }]) {
      expect(
        isTailwaterError(
          thrownBy(() => parseFilter(filter)),
          'TW_BAD_REQUEST',
        ),
      ).toBe(true);
    }
  });

  test('nesting is bounded, in every way to nest', () => {
    let outer: JsonValue = { a: 1 };
    let inner: JsonValue = { $eq: 1 };
    for (let depth = 0; depth < 100_000; depth++) {
      outer = { $not: outer };
      inner = { $not: inner };
    }
    expect(
      isTailwaterError(
        thrownBy(() => parseFilter(outer)),
        'TW_BAD_REQUEST',
      ),
    ).toBe(true);
    expect(
      isTailwaterError(
        thrownBy(() => parseFilter({ a: inner })),
        'TW_BAD_REQUEST',
      ),
    ).toBe(true);
  });
});

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

/** JSON with sorted names: an independent idea of equality. */
function canonical(of: JsonValue): string {
  return JSON.stringify(of, (_, inner) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
