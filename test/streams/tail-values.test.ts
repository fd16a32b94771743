import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matches, parseFilter, requiredEquality, StreamTail } from '../../src/streams/index.ts';
import { SegmentWriter, streamDefinition } from './tail-streams.ts';

const value = fc.constantFrom<unknown>('ann', 'bob', 'Ann', 1, 0, -0, 1.5, true, false, null, ['ann'], { id: 'ann' });
const record = fc.record({ user: value, nested: fc.record({ id: value }, { requiredKeys: [] }) }, { requiredKeys: [] });
const written = fc.record({
  partition: fc.nat(1),
  key: fc.constantFrom('a', 'b', 'c', 'd'),
  value: fc.option(record, { freq: 8 }) as fc.Arbitrary<never>,
});
const path = fc.constantFrom('user', 'nested.id');
const wanted = fc.constantFrom('ann', 'bob', 1, 0, 1.5, true, false, null, 'nobody');
const asked = fc.record({ path, wanted, limit: fc.integer({ min: 1, max: 9 }), through: fc.nat(30), more: fc.boolean() });

test('the newest rows of a value are the same as those that reading every row finds, at every moment', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('append' as const, 'upsert' as const),
      fc.array(fc.tuple(fc.array(written, { maxLength: 8 }), fc.array(asked, { maxLength: 3 })), { maxLength: 12 }),
      (kind, steps) => {
        const tail = new StreamTail(streamDefinition({ kind, partitions: 2 }));
        const writer = new SegmentWriter();
        for (const [records, searches] of steps) {
          if (records.length > 0) tail.append(writer.write(records));
          for (const { path, wanted, limit, through, more } of searches) {
            const snapshot = tail.snapshot(0, through);
            const equal = { [path]: { $eq: wanted } };
            const filter = parseFilter(more ? { $and: [{ user: { $exists: true } }, equal] } : equal);
            const accept = (ordinal: number): boolean => matches(filter, snapshot.value(ordinal));
            const required = requiredEquality(filter);
            expect(required).toEqual({ path, value: wanted });
            expect(snapshot.newest(limit, accept, required)).toEqual(snapshot.newest(limit, accept));
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('nothing is required of rows that match a negation or one of several conditions', () => {
  for (const filter of [
    { user: { $ne: 'ann' } },
    { $or: [{ user: 'ann' }, { user: 'bob' }] },
    { user: { $eq: ['ann'] } },
    { user: { $gt: 1 } },
    { $not: { user: 'ann' } },
  ])
    expect(requiredEquality(parseFilter(filter)), JSON.stringify(filter)).toBeNull();
});
