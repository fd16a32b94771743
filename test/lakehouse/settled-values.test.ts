import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '../../src/base/index.ts';
import { inferSchema } from '../../src/lakehouse/columns/infer.ts';
import { SettledValues } from '../../src/lakehouse/columns/settled-values.ts';
import { parseValue } from '../../src/lakehouse/compact/derive.ts';
import type { TableSchema } from '../../src/lakehouse/index.ts';
import { definitionOf } from './compact-world.ts';

const EMPTY: TableSchema = { id: 1, columns: [], dimensions: null, text: false };

const names = fc.constantFrom('a', 'b', 'a.b', '_c', 'é', '\\u0061', '__proto__');
const texts = fc.oneof(
  fc.constantFrom('null', 'true', 'false', '1', '-0', '0.5', '1.0', '1e3', '1e999', '9007199254740993', '999999999999999'),
  fc.constantFrom('-99999999999999', '12345678901234567890', '"x"', '"\\n"', '{"a":1}', '[1,2]', '01', 'x'),
);
const objects = fc
  .array(fc.tuple(names, texts), { maxLength: 4 })
  .map(fields => `{${fields.map(([name, text]) => `"${name}":${text}`).join(',')}}`);
const values = fc.oneof(objects, fc.constantFrom('{}', '7', '[]', ' {"a":1}', '{"a":1} '), fc.json()).map(utf8);

test('a value that is told to change nothing changes no schema, whatever came before it', () => {
  const definition = definitionOf({});
  let settledOnes = 0;
  fc.assert(
    fc.property(fc.array(values, { maxLength: 6 }), fc.array(values, { maxLength: 6 }), (before, between) => {
      const fold = (schema: TableSchema, list: readonly Uint8Array[]) => inferSchema(schema, definition, list.map(parseValue));
      const schema = fold(EMPTY, before);
      const settled = new SettledValues(schema);
      const later = fold(schema, between);
      for (const value of [...before, ...between]) {
        if (!settled.has(value)) continue;
        settledOnes++;
        expect(fold(schema, [value])).toBe(schema);
        expect(fold(later, [value])).toBe(later);
      }
    }),
    { numRuns: 1000 },
  );
  expect(settledOnes).toBeGreaterThan(100);
});

test('a value of known fields needs no closer look', () => {
  const schema = inferSchema(EMPTY, definitionOf({}), [parseValue(utf8('{"id":1,"price":0.5,"tags":[1],"name":"x"}'))]);
  const settled = new SettledValues(schema);
  for (const text of ['{"id":2,"price":7.25,"tags":{},"name":"é\\n"}', '{"name":null,"id":-3}', '{}']) {
    expect(settled.has(utf8(text)), text).toBe(true);
  }
  expect(settled.has(utf8('{"id":2.5}'))).toBe(false);
});
