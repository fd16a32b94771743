import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byteString, utf8 } from '../../src/base/index.ts';
import { foldRecords } from '../../src/lakehouse/compact/fold.ts';
import type { StreamRecord } from '../../src/streams/index.ts';

const written = fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), deleted: fc.boolean() }), { maxLength: 40 });

function recordsOf(list: readonly { key: string; deleted: boolean }[]): StreamRecord[] {
  return list.map(({ key, deleted }, seq) => ({
    partition: 0,
    offset: seq,
    seq,
    key: utf8(key),
    timeMs: 0,
    ingestedAtMs: 1000 + seq,
    headers: [],
    value: deleted ? null : utf8(String(seq)),
  }));
}

/** Seq -> when it stopped being the row of its key; undefined: it still is. Computed record by record. */
function supersededTimes(records: readonly StreamRecord[]): Map<number, number | undefined> {
  const times = new Map<number, number | undefined>();
  for (const [index, record] of records.entries()) {
    const next = records.slice(index + 1).find(other => byteString(other.key!) === byteString(record.key!));
    times.set(record.seq, record.value === null ? record.ingestedAtMs : next?.ingestedAtMs);
  }
  return times;
}

describe('folding a step', () => {
  test('wherever steps are cut, every version ends in the same part with the same end of validity', () => {
    fc.assert(
      fc.property(written, fc.array(fc.nat({ max: 40 }), { maxLength: 5 }), (list, cuts) => {
        const records = recordsOf(list);
        const found = new Map<number, number | undefined>();
        const table = new Map<string, StreamRecord>();
        let from = 0;
        for (const to of [...cuts.sort((a, b) => a - b), records.length]) {
          const step = foldRecords('upsert', records.slice(from, to));
          for (const { key, belowSeq, supersededAtMs } of step.keys) {
            const row = table.get(byteString(key));
            if (row === undefined || row.seq >= belowSeq) continue;
            found.set(row.seq, supersededAtMs);
            table.delete(byteString(key));
          }
          for (const { row, supersededAtMs } of step.changes) found.set(row.seq, supersededAtMs);
          for (const row of step.rows) table.set(byteString(row.key!), row as StreamRecord);
          from = Math.max(from, to);
        }
        for (const row of table.values()) found.set(row.seq, undefined);
        expect(new Map([...found].sort(([a], [b]) => a - b))).toEqual(supersededTimes(records));
      }),
    );
  });

  test('every record is in exactly one of rows and changes, and each key has at most one row', () => {
    fc.assert(
      fc.property(written, list => {
        const records = recordsOf(list);
        const { rows, changes, keys } = foldRecords('upsert', records);
        const seqs = [...rows.map(row => row.seq), ...changes.map(change => change.row.seq)];
        expect(seqs.sort((a, b) => a - b)).toEqual(records.map(record => record.seq));
        expect(new Set(rows.map(row => byteString(row.key!))).size).toBe(rows.length);
        expect(keys.map(({ key }) => byteString(key))).toEqual([...new Set(list.map(({ key }) => key))]);
      }),
    );
  });

  test('an append stream keeps every record as a row', () => {
    const records = recordsOf([
      { key: 'a', deleted: false },
      { key: 'a', deleted: false },
    ]);
    expect(foldRecords('append', records)).toEqual({ rows: records, changes: [], keys: [], deleted: 0 });
  });

  test('binary keys are told apart byte by byte', () => {
    const names = [[0xff], [0xc3, 0xbf], [0x00], [], [0xfe], [0xef, 0xbf, 0xbd]].map(bytes => byteString(Uint8Array.from(bytes)));
    expect(new Set(names).size).toBe(names.length);
  });
});
