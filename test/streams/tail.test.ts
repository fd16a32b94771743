import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equalBytes, isTailwaterError, utf8 } from '../../src/base/index.ts';
import { Bm25, recordAt, type StreamDefinition, StreamTail, type TailHit, type TailSnapshot } from '../../src/streams/index.ts';
import { type ModelCut, noteOf, TailModel } from './tail-model.ts';
import { SegmentWriter, streamDefinition, type Written } from './tail-streams.ts';

const DIMENSIONS = 3;
const PARTITIONS = 3;
const KEYS = ['a', 'b', 'c', 'long-key-0123456789', 'ÿ\u0000'];
const WORDS = ['apple', 'berry', 'cherry', 'the'];
const embed = { fields: ['note'], provider: 'hash', model: 'hash-v1', dimensions: DIMENSIONS };

const words = fc.array(fc.constantFrom(...WORDS), { maxLength: 5 }).map(list => list.join(' '));
const value = fc.oneof(
  { weight: 1, arbitrary: fc.constant(null) },
  { weight: 5, arbitrary: fc.record({ text: words, note: fc.constantFrom('', 'x', 'y') }, { requiredKeys: [] }) },
);
const written: fc.Arbitrary<Written> = fc.record({
  partition: fc.nat(PARTITIONS - 1),
  key: fc.option(fc.constantFrom(...KEYS), { freq: 8 }),
  value,
});
const vector = fc.array(fc.integer({ min: -2, max: 2 }), { minLength: DIMENSIONS, maxLength: DIMENSIONS });

type Step =
  | { kind: 'append'; records: Written[]; repeat: number; parsed: boolean }
  | { kind: 'vectors'; limit: number; vectors: number[][] }
  | { kind: 'trim'; share: number }
  | { kind: 'snapshot'; after: number; through: number | null };

function steps(repeats: number[]): fc.Arbitrary<Step[]> {
  const append = fc.record({
    kind: fc.constant('append' as const),
    records: fc.array(written, { maxLength: 6 }),
    repeat: fc.constantFrom(...repeats),
    parsed: fc.boolean(),
  });
  const vectors = fc.record({
    kind: fc.constant('vectors' as const),
    limit: fc.nat(5),
    vectors: fc.array(vector, { minLength: 5, maxLength: 5 }),
  });
  const trim = fc.record({ kind: fc.constant('trim' as const), share: fc.double({ min: 0, max: 1.2, noNaN: true }) });
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const snapshot = fc.record({ kind: fc.constant('snapshot' as const), after: share, through: fc.option(share) });
  return fc.array(
    fc.oneof(
      { weight: 5, arbitrary: append },
      { weight: 2, arbitrary: vectors },
      { weight: 1, arbitrary: trim },
      { weight: 2, arbitrary: snapshot },
    ),
    { minLength: 3, maxLength: 14 },
  );
}

/** Runs the steps on tail and model alike; every snapshot is compared at once and again after everything else has happened. */
class Comparison {
  readonly #definition: StreamDefinition;
  readonly #tail: StreamTail;
  readonly #writer = new SegmentWriter();
  readonly #model = new TailModel();
  readonly #taken: { snapshot: TailSnapshot; cut: ModelCut }[] = [];
  #trimmed = 0;

  constructor(definition: StreamDefinition) {
    this.#definition = definition;
    this.#tail = new StreamTail(definition);
  }

  run(all: readonly Step[]): void {
    for (const step of all) this.#step(step);
    this.#step({ kind: 'snapshot', after: 0, through: null });
    for (const { snapshot, cut } of this.#taken) this.#compare(snapshot, cut);
  }

  #step(step: Step): void {
    const last = this.#tail.lastSegment;
    switch (step.kind) {
      case 'append':
        this.#append(Array.from({ length: step.repeat }, () => step.records).flat(), step.parsed);
        break;
      case 'vectors':
        this.#setVectors(step.limit, step.vectors);
        break;
      case 'trim':
        this.#trimmed = Math.max(this.#trimmed, Math.min(last, Math.round(last * step.share)));
        this.#tail.trim(this.#trimmed);
        break;
      case 'snapshot': {
        const after = this.#trimmed + Math.round((last - this.#trimmed) * step.after);
        const through = step.through === null ? undefined : Math.round(last * step.through);
        const cut = this.#model.cut(after, through ?? last, this.#definition.kind === 'upsert');
        const snapshot = this.#tail.snapshot(after, through);
        this.#compare(snapshot, cut);
        this.#taken.push({ snapshot, cut });
      }
    }
    expect(this.#tail.rows).toBe(this.#model.records.filter(({ segment }) => segment > this.#trimmed).length);
    expect(this.#tail.firstSegment).toBe(this.#model.records.find(({ segment }) => segment > this.#trimmed)?.segment ?? null);
  }

  #append(records: Written[], parsed: boolean): void {
    const segment = this.#writer.write(records, { parsed });
    const stranger = { ...segment.batches[0], incarnation: 'another' };
    expect(this.#tail.append({ ...segment, batches: [...segment.batches, stranger] })).toBe(records.length);
    expect(this.#tail.append(segment)).toBe(0);
    this.#model.append(segment, records);
  }

  #setVectors(limit: number, vectors: number[][]): void {
    const cut = this.#model.cut(this.#trimmed, this.#tail.lastSegment, this.#definition.kind === 'upsert');
    const { ordinals, seqs, texts } = this.#tail.pendingEmbeddings(limit);
    const pending = cut
      .winners()
      .toReversed()
      .filter(record => noteOf(record.value) !== null && record.vector === null);
    expect(texts).toEqual(pending.slice(0, limit).map(record => noteOf(record.value)));
    expect(seqs).toEqual(pending.slice(0, limit).map(({ seq }) => seq));
    this.#tail.setVectors(ordinals, Float32Array.from(vectors.slice(0, ordinals.length).flat()));
    pending.slice(0, limit).forEach((record, index) => {
      record.vector = vectors[index];
    });
  }

  #compare(snapshot: TailSnapshot, cut: ModelCut): void {
    const winners = cut.winners();
    const seqOf = (ordinal: number) => snapshot.record(ordinal).seq;
    expect(snapshot.recordCount).toBe(cut.records.length);
    expect(snapshot.rowCount()).toBe(winners.length);
    expect(snapshot.heads).toEqual(cut.heads(PARTITIONS));
    expect(snapshot.newestIngestedAtMs).toBe(cut.records.length === 0 ? null : 1_000 + cut.records.at(-1)!.segment);
    expect(snapshot.missingVectors()).toBe(cut.missingVectors());
    expect(snapshot.newest(7).map(seqOf)).toEqual(winners.slice(0, 7).map(({ seq }) => seq));
    const even = winners.filter(({ seq }) => seq % 2 === 0);
    expect(snapshot.newest(7, ordinal => seqOf(ordinal) % 2 === 0).map(seqOf)).toEqual(even.slice(0, 7).map(({ seq }) => seq));
    this.#compareKeys(snapshot, cut);
    this.#compareNewKeys(snapshot, cut);
    this.#compareOffsets(snapshot, cut);
    this.#compareTexts(snapshot, cut);
    this.#compareVectors(snapshot, cut);
  }

  #compareKeys(snapshot: TailSnapshot, cut: ModelCut): void {
    for (const key of [...KEYS, 'unknown']) {
      const newest = cut.newestOf(key);
      const found = snapshot.lookup(Buffer.from(key, 'latin1'));
      expect(found === null ? undefined : snapshot.record(found.ordinal).seq).toBe(newest?.seq);
      expect(found?.deleted).toBe(newest === undefined ? undefined : newest.value === null);
      expect(snapshot.shadows(Buffer.from(key, 'latin1'))).toBe(newest !== undefined);
    }
    const shadowing = [...snapshot.shadowingKeys()].map(({ key, ordinal }) => [
      Buffer.from(key).toString('latin1'),
      snapshot.record(ordinal).seq,
    ]);
    expect(shadowing.sort()).toEqual(
      cut
        .keys()
        .map(key => [key, cut.newestOf(key)!.seq])
        .sort(),
    );
  }

  #compareNewKeys(snapshot: TailSnapshot, cut: ModelCut): void {
    const above = cut.records[cut.records.length >> 1]?.segment ?? 0;
    const found = [...snapshot.shadowingKeys(above)].map(({ ordinal }) => snapshot.record(ordinal).seq);
    const newest = cut
      .keys()
      .map(key => cut.newestOf(key)!)
      .filter(({ segment }) => segment > above);
    expect(found).toEqual(newest.map(({ seq }) => seq).sort((a, b) => a - b));
  }

  #compareOffsets(snapshot: TailSnapshot, cut: ModelCut): void {
    for (let partition = 0; partition <= PARTITIONS; partition++) {
      const all = cut.records.filter(record => record.partition === partition);
      const middle = all[all.length >> 1]?.offset ?? 0;
      for (const [first, last, limit] of [
        [0, Number.MAX_SAFE_INTEGER, 10],
        [middle, middle + 3, 3],
        [middle, middle - 1, 3],
        [middle + 1, middle + 9_000, 9_000],
      ]) {
        const expected = all.filter(({ offset }) => offset >= first && offset <= last).slice(0, limit);
        const found = snapshot.byOffsets(partition, first, last, limit);
        expect(found.map(({ offset, seq }) => [offset, seq])).toEqual(expected.map(({ offset, seq }) => [offset, seq]));
        expect(found.map(({ value: bytes }) => bytes && JSON.parse(Buffer.from(bytes).toString()))).toEqual(
          expected.map(record => record.value),
        );
        expect(found.map(({ key }) => key && Buffer.from(key).toString('latin1'))).toEqual(expected.map(({ key }) => key));
      }
    }
  }

  #compareTexts(snapshot: TailSnapshot, cut: ModelCut): void {
    for (const terms of [['appl'], ['berri', 'cherri'], ['appl', 'cherri', 'appl'], ['absent'], []]) {
      const statistics = cut.statistics(terms);
      expect(snapshot.textStatistics(terms)).toEqual(statistics);
      const bm25 = new Bm25(statistics);
      const all = cut.textHits(terms);
      compareHits(snapshot, snapshot.searchText(terms, bm25, 6), all, 6);
      const odd = all.filter(({ seq }) => seq % 2 === 1);
      compareHits(
        snapshot,
        snapshot.searchText(terms, bm25, 3, ordinal => snapshot.record(ordinal).seq % 2 === 1),
        odd,
        3,
      );
    }
  }

  #compareVectors(snapshot: TailSnapshot, cut: ModelCut): void {
    for (const query of [
      [1, 2, -1],
      [0, 0, 0],
    ]) {
      const distances = cut.distances(query);
      const ranked = [...distances.values()].sort((a, b) => a - b);
      const hits = snapshot.searchVector(Float32Array.from(query), 5);
      expect(new Set(hits.map(({ ordinal }) => ordinal)).size).toBe(Math.min(5, ranked.length));
      hits.forEach(({ ordinal, score }, rank) => {
        expect(score).toBeCloseTo(distances.get(snapshot.record(ordinal).seq)!, 6);
        expect(score).toBeCloseTo(ranked[rank], 6);
      });
    }
  }
}

/** The best scores, each the score of its row; of rows that score exactly alike the newest, newest first. */
function compareHits(snapshot: TailSnapshot, hits: TailHit[], all: ReturnType<ModelCut['textHits']>, limit: number): void {
  const ranked = all.map(({ score }) => score).sort((a, b) => b - a);
  const found = hits.map(({ ordinal, score }) => ({ score, of: all.find(({ seq }) => seq === snapshot.record(ordinal).seq)! }));
  expect(found.length).toBe(Math.min(limit, all.length));
  for (const [rank, { score, of }] of found.entries()) {
    expect(score).toBeCloseTo(ranked[rank], 9);
    expect(score).toBeCloseTo(of.score, 9);
    const alike = found.filter(hit => hit.of.shape === of.shape).map(hit => hit.of.seq);
    expect(alike).toEqual(
      all
        .filter(({ shape }) => shape === of.shape)
        .slice(0, alike.length)
        .map(({ seq }) => seq),
    );
  }
}

describe.each(['append', 'upsert'] as const)('the tail of an %s stream', kind => {
  const definition = streamDefinition({ kind, partitions: PARTITIONS, search: { fields: ['text'] }, embed });

  test('answers as a plain list of records does, at any cut, whatever happens after the cut', () => {
    fc.assert(
      fc.property(steps([1, 1, 2]), all => new Comparison(definition).run(all)),
      { numRuns: 150 },
    );
  });

  test('does so across chunks of rows', () => {
    const large = steps([1, 700, 2_000]);
    fc.assert(
      fc.property(large, all => new Comparison(definition).run(all)),
      { numRuns: 6 },
    );
  }, 120_000);
});

describe('what a tail gives back', () => {
  test('records as they were written, with headers and times, whether or not they won', () => {
    const writer = new SegmentWriter();
    const segment = writer.write([
      { partition: 0, key: 'a', value: { text: 'one' } },
      { partition: 0, key: 'a', value: null },
    ]);
    const tail = new StreamTail(streamDefinition({ kind: 'upsert' }));
    tail.append(segment);
    const snapshot = tail.snapshot(0);
    const found = snapshot.byOffsets(0, 0, 1, 10);
    expect(found).toEqual([0, 1].map(index => recordAt(segment.batches[0], index, segment)));
    expect(equalBytes(found[0].value!, utf8('{"text":"one"}'))).toBe(true);
    expect(snapshot.value(snapshot.lookup(utf8('a'))!.ordinal)).toBeNull();
  });

  test('parsed values, again and again beyond the size of its cache', () => {
    const tail = new StreamTail(streamDefinition({ search: { fields: ['text'] } }));
    const records = Array.from({ length: 3_000 }, (_, n) => ({ partition: 0, key: null, value: { n, text: `word${n}` } }));
    tail.append(new SegmentWriter().write(records));
    const snapshot = tail.snapshot(0);
    for (let round = 0; round < 2; round++) {
      for (const ordinal of snapshot.newest(3_000)) {
        expect(snapshot.value(ordinal)).toEqual(records[snapshot.record(ordinal).offset].value);
        expect(snapshot.text(ordinal)).toBe(`word${snapshot.record(ordinal).offset}`);
      }
    }
  });

  test('values that are no JSON are kept, but have no text', () => {
    const tail = new StreamTail(streamDefinition({ search: { fields: ['text'] }, embed }));
    const segment = new SegmentWriter().write([{ partition: 0, key: null, value: { text: 'apple', note: 'x' } }]);
    segment.batches[0].batch.bytes[segment.batches[0].batch.valueStart[0]] = 0x7d;
    expect(tail.append(segment)).toBe(1);
    expect(tail.snapshot(0).textStatistics([]).documents).toBe(0);
    expect(tail.snapshot(0).recordCount).toBe(1);
    expect(tail.pendingEmbeddings(9).ordinals).toEqual([]);
  });

  test('nothing where the stream declares neither text nor vectors', () => {
    const tail = new StreamTail(streamDefinition({}));
    tail.append(new SegmentWriter().write([{ partition: 0, key: 'a', value: { text: 'apple', note: 'x' } }]));
    const snapshot = tail.snapshot(0);
    expect(snapshot.textStatistics(['appl'])).toEqual({ documents: 0, tokens: 0, frequencies: [0] });
    expect(snapshot.searchText(['appl'], new Bm25({ documents: 1, tokens: 1, frequencies: [1] }), 5)).toEqual([]);
    expect(snapshot.searchVector(new Float32Array(3), 5)).toEqual([]);
    expect(snapshot.lookup(utf8('a'))).toBeNull();
  });
});

describe('reading by offset', () => {
  test('finds every offset on either side of a chunk boundary', () => {
    const tail = new StreamTail(streamDefinition({ partitions: 2 }));
    const writer = new SegmentWriter();
    const records = Array.from({ length: 30_000 }, (_, n) => ({ partition: n % 5 === 0 ? 1 : 0, key: null, value: n }));
    for (let at = 0; at < records.length; at += 1_000) tail.append(writer.write(records.slice(at, at + 1_000)));
    const snapshot = tail.snapshot(0);
    for (const partition of [0, 1]) {
      const values = records.filter(record => record.partition === partition).map(record => record.value);
      for (let first = 0; first < values.length; first++) {
        const found = snapshot
          .byOffsets(partition, first, first + 1, 2)
          .map(({ value }) => Number(Buffer.from(value!).toString()));
        if (found[0] !== values[first] || found[1] !== values[first + 1]) expect(found).toEqual(values.slice(first, first + 2));
      }
    }
  });
});

describe('trimming', () => {
  const note = (n: number): Written => ({ partition: 0, key: `k${n % 50}`, value: { n, text: 'apple', note: 'x' } });

  test('gives memory back chunk by chunk, and all of it when the table has caught up', () => {
    const tail = new StreamTail(streamDefinition({ kind: 'upsert', search: { fields: ['text'] }, embed }));
    const writer = new SegmentWriter();
    for (let round = 0; round < 12; round++) tail.append(writer.write(Array.from({ length: 4_000 }, (_, n) => note(n))));
    const whole = tail.bytes;
    tail.trim(10);
    expect(tail.rows).toBe(8_000);
    expect(tail.bytes).toBeLessThan(whole / 3);
    expect(tail.stats()).toMatchObject({ rows: 8_000, chunks: 2 });
    tail.trim(12);
    expect([tail.rows, tail.bytes, tail.firstSegment, tail.lastSegment]).toEqual([0, 0, null, 12]);
    expect(tail.stats()).toEqual({ rows: 0, bytes: 0, chunks: 0, keys: 0, missingVectors: 0 });
    tail.append(writer.write([note(1)]));
    expect(tail.snapshot(12).recordCount).toBe(1);
  });

  test('large records fill a chunk by bytes, so that little of them outlives a trim', () => {
    const tail = new StreamTail(streamDefinition({}));
    const writer = new SegmentWriter();
    const big = { partition: 0, key: null, value: 'x'.repeat(3_000_000) };
    for (let round = 0; round < 6; round++) tail.append(writer.write([big]));
    tail.trim(4);
    expect(tail.bytes).toBeLessThan(7_000_000);
    expect(
      tail
        .snapshot(4)
        .byOffsets(0, 0, 9, 9)
        .map(({ offset }) => offset),
    ).toEqual([4, 5]);
  });

  test('refuses a cut whose records are gone instead of answering without them', () => {
    const tail = new StreamTail(streamDefinition({}));
    const writer = new SegmentWriter();
    tail.append(writer.write([note(1)]));
    tail.append(writer.write([note(2)]));
    tail.trim(2);
    expect(tail.snapshot(2).recordCount).toBe(0);
    try {
      tail.snapshot(1);
      expect.unreachable();
    } catch (error) {
      expect(isTailwaterError(error, 'TW_SNAPSHOT_EXPIRED')).toBe(true);
    }
  });

  test('a key whose older records are gone starts anew', () => {
    const tail = new StreamTail(streamDefinition({ kind: 'upsert' }));
    const writer = new SegmentWriter();
    const keyed = (key: string): Written => ({ partition: 0, key, value: key });
    tail.append(writer.write([keyed('a'), ...Array.from({ length: 8_191 }, (_, n) => keyed(`k${n}`))]));
    tail.append(writer.write([keyed('b')]));
    tail.trim(1);
    tail.append(writer.write([keyed('a')]));
    const snapshot = tail.snapshot(1);
    expect([...snapshot.shadowingKeys()].map(({ key }) => Buffer.from(key).toString())).toEqual(['b', 'a']);
    expect(snapshot.shadows(utf8('k1'))).toBe(false);
  });

  test('a cut above the newest segment stays above segments that come later', () => {
    const tail = new StreamTail(streamDefinition({}));
    const writer = new SegmentWriter();
    tail.append(writer.write([note(1)]));
    expect(tail.snapshot(3).recordCount).toBe(0);
    for (let segment = 2; segment <= 5; segment++) tail.append(writer.write([note(segment)]));
    expect(tail.snapshot(3).recordCount).toBe(2);
    expect(tail.snapshot(3, 4).heads).toEqual([3]);
  });

  test('ahead of the log skips what the table already has', () => {
    const tail = new StreamTail(streamDefinition({}));
    const writer = new SegmentWriter();
    tail.trim(2);
    expect([1, 2, 3].map(() => tail.append(writer.write([note(1)])))).toEqual([0, 0, 1]);
    expect(
      tail
        .snapshot(2)
        .byOffsets(0, 0, 9, 9)
        .map(({ offset }) => offset),
    ).toEqual([2]);
    expect(tail.snapshot(2).heads).toEqual([2]);
  });
});
