import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c, isTailwaterError, type JsonValue, toBase64Url, utf8 } from '../../src/base/index.ts';
import { catalogMachine, encodeCatalogEntry } from '../../src/streams/catalog/catalog-machine.ts';
import {
  decodeRecordBatch,
  decodeSegment,
  decodeToken,
  encodeRecordBatch,
  encodeSegment,
  encodeToken,
  matches,
  parseFilter,
} from '../../src/streams/index.ts';
import { decodeLogCheckpoint, encodeLogCheckpoint } from '../../src/streams/wal/log-checkpoint.ts';
import { initialLogState } from '../../src/streams/wal/log-state.ts';
import { readSegmentSummary } from '../../src/streams/wal/segment.ts';
import { WriterSequences } from '../../src/streams/wal/writers.ts';
import { type Codec, expectBoundedMemory, expectDamageRefused, expectNoCrash } from '../harness/damaged-bytes.ts';
import { creating, definitionOf, slabOf, texts } from './log-support.ts';

/** The same decoder, given the right checksum for whatever the bytes are. */
function behindChecksum(
  codec: Codec,
  checksumAt: (bytes: Uint8Array) => number,
  covered: (bytes: Uint8Array) => Uint8Array,
): Codec {
  const decode = (bytes: Uint8Array): unknown => {
    const at = checksumAt(bytes);
    if (at < 0) return null;
    const sealed = Uint8Array.from(bytes);
    new DataView(sealed.buffer).setUint32(at, crc32c(covered(sealed)));
    return codec.decode(sealed);
  };
  return { ...codec, decode };
}

/** For formats that end in the crc32c of everything before it. */
function behindLastChecksum(codec: Codec): Codec {
  return behindChecksum(
    codec,
    bytes => bytes.length - 4,
    bytes => bytes.subarray(0, -4),
  );
}

const HEADERS = [
  { name: 'trace', value: utf8('1') },
  { name: 'none', value: null },
];
const part = { incarnation: 'life', partition: 2, first: 7, last: 8 };
const segmentBytes = encodeSegment({
  ...{ shard: 1, seq: 9, commitTimeMs: 1_767_225_600_000, writerSequence: 3, nonce: new Uint8Array(8), writerId: 'writer' },
  controls: [creating('made', 3)],
  idempotency: [{ key: 'request', fingerprint: 'f', answer: { ok: [1] }, parts: [part] }],
  producers: [{ id: 4, epoch: 1, sequence: 2, incarnation: 'life', partition: 2, firstOffset: 7, count: 2 }],
  batches: [{ incarnation: 'life', partition: 2, baseOffset: 7, slabs: [texts('one', 'two')] }],
}).bytes;

const batchBytes = encodeRecordBatch(
  slabOf([
    { key: utf8('k'), value: utf8('{"a":1}'), timeMs: 5, headers: HEADERS },
    { key: null, value: null, timeMs: 6 },
  ]),
  40,
).bytes;

function checkpointBytes(): Uint8Array {
  const state = { ...initialLogState(), seq: 12, commitTimeMs: 99, streams: new Map([['life', [5, 0]]]) };
  state.writers = WriterSequences.from([['writer', 3]], true);
  state.idempotency.record({ key: 'request', fingerprint: 'f', answer: { ok: true }, parts: [part] }, 11, 98);
  const batch = { sequence: 0, firstOffset: 3, count: 2, seq: 11, commitTimeMs: 98 };
  state.producers.set({ id: 4, incarnation: 'life', partition: 0, epoch: 1, batches: [batch] });
  return encodeLogCheckpoint(state, 1);
}

const SEGMENT: Codec = { decode: decodeSegment, samples: [segmentBytes] };
const SUMMARY: Codec = { decode: readSegmentSummary, samples: [segmentBytes] };
const CHECKPOINT: Codec = { decode: bytes => decodeLogCheckpoint(bytes, 1), samples: [checkpointBytes()] };
/** Kafka's checksum leaves out the base offset and the leader epoch; a segment's covers them. */
const BATCH: Codec = { decode: decodeRecordBatch, samples: [batchBytes], unchecked: at => at < 8 || (at >= 12 && at < 16) };
const TOKEN: Codec = {
  decode: bytes => decodeToken(toBase64Url(bytes)),
  samples: [
    Buffer.from(
      encodeToken({ shards: [{ shard: 0, seq: 7 }], streams: [{ incarnation: 'life', tableState: 3, heads: [4, -1, 900] }] }),
      'base64url',
    ),
  ],
  codes: ['TW_BAD_TOKEN'],
};

describe('bytes that are damaged', () => {
  test.each([
    ['a segment', SEGMENT],
    ['the summary of a segment', SUMMARY],
    ['a log checkpoint', CHECKPOINT],
    ['a record batch', BATCH],
    ['a token', TOKEN],
  ])('are never read as %s', (_, codec) => {
    expectDamageRefused(codec);
  });

  test.each([
    ['a segment', behindLastChecksum(SEGMENT)],
    ['the summary of a segment', behindLastChecksum(SUMMARY)],
    ['a log checkpoint', behindLastChecksum(CHECKPOINT)],
    [
      'a record batch',
      behindChecksum(
        BATCH,
        bytes => (bytes.length < 61 ? -1 : 17),
        bytes => bytes.subarray(21),
      ),
    ],
    ['a token', behindLastChecksum(TOKEN)],
  ])('and have the checksum of %s are read or refused, in bounded memory', (_, codec) => {
    expectNoCrash(codec);
    expectBoundedMemory(codec);
  });
});

/** Catalog entries are JSON without a checksum: that of the object, which covers its key too, notices damage. Shapes are checked here. */
describe('the catalog’s JSON', () => {
  const stream = { definition: definitionOf('life'), shard: 0 };
  const entry = encodeCatalogEntry({ writerId: 'w', writerSequence: 1, nonce: 'n', change: { kind: 'created', stream } });
  const state = catalogMachine.apply(catalogMachine.initial(), 1, entry);
  const applied: Codec = { decode: bytes => catalogMachine.apply(catalogMachine.initial(), 1, bytes), samples: [entry] };
  const checkpoint: Codec = {
    decode: bytes => catalogMachine.decodeCheckpoint(bytes),
    samples: [catalogMachine.encodeCheckpoint(state)],
  };

  test.each([
    ['an entry', applied],
    ['a checkpoint', checkpoint],
  ])('is read or refused, whatever it is in place of %s', (_, codec) => {
    expectNoCrash(codec);
    const members = ['formatVersion', 'writerId', 'writerSequence', 'nonce', 'change', 'streams', 'writers', 'writersForgotten'];
    const values = fc.oneof(
      fc.constant(1),
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom({ kind: 'created' }, { kind: 'deleted' }, { kind: 'created', stream: {} }, [{}], [null], [[1]]),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...members), values), object => {
        const bytes = utf8(JSON.stringify({ ...object, formatVersion: 1 }));
        try {
          codec.decode(bytes);
        } catch (error) {
          expect(isTailwaterError(error, 'TW_DATA_DAMAGED'), String(error)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('filters', () => {
  const operators = [
    '$eq',
    '$ne',
    '$gt',
    '$gte',
    '$lt',
    '$lte',
    '$in',
    '$nin',
    '$exists',
    '$contains',
    '$and',
    '$or',
    '$not',
    '$no',
    'a',
    'a.b',
    '',
    '__proto__',
  ];
  const anything = fc.letrec<{ node: JsonValue }>(tie => ({
    node: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom<JsonValue>(null, true, 0, -1.5, '', 'a', [], {}),
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...operators), tie('node'), { maxKeys: 3 }),
    ),
  })).node;

  test('of any JSON are parsed or TW_BAD_REQUEST, and those parsed decide about any value', () => {
    fc.assert(
      fc.property(anything, anything, (source, value) => {
        try {
          expect(typeof matches(parseFilter(source), value)).toBe('boolean');
        } catch (error) {
          if (!isTailwaterError(error, 'TW_BAD_REQUEST')) throw error;
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
