import { describe, expect, test } from 'vitest';
import { StreamTail } from '../../src/streams/index.ts';
import { SegmentWriter, streamDefinition, type Written } from './tail-streams.ts';

const DIMENSIONS = 3;
const embed = { fields: ['note'], provider: 'hash', model: 'hash-v1', dimensions: DIMENSIONS };

describe('embedding in place', () => {
  const definition = streamDefinition({ kind: 'upsert', embed });
  const record = (key: string, note: string): Written => ({ partition: 0, key, value: { note } });

  test('embeds the oldest pending rows that still win and says how many are left', () => {
    const tail = new StreamTail(definition);
    tail.append(
      new SegmentWriter().write([record('a', 'old'), record('b', 'x'), record('c', 'y'), record('a', 'new'), record('d', '')]),
    );
    const seen: string[] = [];
    const embedInto = (text: string, out: Float32Array, at: number) => {
      seen.push(text);
      out[at] += text.length;
      out[at + 1] += 1;
    };
    expect(tail.embedPending(embedInto, 2)).toBe(1);
    expect(tail.embedPending(embedInto, 0)).toBe(1);
    expect(tail.embedPending(embedInto)).toBe(0);
    expect(seen).toEqual(['x', 'y', 'new']);
    const [nearest] = tail.snapshot(0).searchVector(Float32Array.of(3, 1, 0), 1);
    expect(tail.snapshot(0).value(nearest.ordinal)).toEqual({ note: 'new' });
    expect(nearest.score).toBeCloseTo(0, 6);
  });

  test('of an earlier cut, the rows that won there are pending', () => {
    const tail = new StreamTail(definition);
    const log = new SegmentWriter();
    tail.append(log.write([record('a', 'older'), record('a', 'old'), record('b', 'x')]));
    tail.append(log.write([record('a', 'new'), record('c', 'y')]));
    expect(tail.pendingEmbeddings(9).texts).toEqual(['x', 'new', 'y']);
    const { texts, ordinals } = tail.pendingEmbeddings(9, 1);
    expect(texts).toEqual(['old', 'x']);
    tail.setVectors(ordinals, Float32Array.from([1, 0, 0, 0, 1, 0]));
    expect([tail.snapshot(0, 1).missingVectors(), tail.snapshot(0).missingVectors()]).toEqual([0, 2]);
    expect(tail.pendingEmbeddings(9, 1).texts).toEqual([]);
  });

  test('a failing provider leaves the row pending and unspoilt', () => {
    const tail = new StreamTail(definition);
    tail.append(new SegmentWriter().write([record('a', 'x')]));
    const failing = (_: string, out: Float32Array, at: number) => {
      out.fill(9, at, at + DIMENSIONS);
      throw new Error('provider');
    };
    expect(() => tail.embedPending(failing)).toThrow('provider');
    expect(tail.snapshot(0).missingVectors()).toBe(1);
    expect(tail.embedPending((_, out, at) => out.set([0, 1, 0], at))).toBe(0);
    expect(tail.snapshot(0).searchVector(Float32Array.of(0, 1, 0), 1)[0].score).toBeCloseTo(0, 6);
  });

  test('of equal distances the newest row comes first, and the first vector of a row stays', () => {
    const tail = new StreamTail(definition);
    tail.append(new SegmentWriter().write(['a', 'b', 'c', 'd'].map(key => record(key, key))));
    const { ordinals } = tail.pendingEmbeddings(4);
    tail.setVectors(ordinals, Float32Array.from([1, 1, 0, 2, 2, 0, 1, 1, 0, 0, 0, 0]));
    tail.setVectors([ordinals[0]], Float32Array.of(0, 0, 1));
    const hits = tail.snapshot(0).searchVector(Float32Array.of(1, 1, 0), 4);
    expect(hits.map(({ ordinal }) => ordinal)).toEqual([ordinals[2], ordinals[1], ordinals[0], ordinals[3]]);
    expect(hits[3].score).toBe(1);
  });

  test('vectors of the wrong length are refused, those of trimmed rows ignored', () => {
    const tail = new StreamTail(definition);
    tail.append(new SegmentWriter().write([record('a', 'x')]));
    const snapshot = tail.snapshot(0);
    const { ordinals } = tail.pendingEmbeddings(1);
    for (const run of [
      () => tail.setVectors(ordinals, new Float32Array(2)),
      () => snapshot.searchVector(new Float32Array(4), 1),
    ]) {
      expect(run).toThrow(expect.objectContaining({ code: 'TW_VECTOR_LENGTH' }));
    }
    tail.trim(1);
    tail.setVectors(ordinals, Float32Array.of(1, 0, 0));
    expect(snapshot.missingVectors()).toBe(1);
  });
});
