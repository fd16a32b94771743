import { expect, test } from 'vitest';
import { utf8 } from '../../src/base/index.ts';
import { partitionOfKey } from '../../src/streams/index.ts';
import { murmur2 } from '../../src/streams/partitioner.ts';

test('keys hash as Apache Kafka’s own test vectors say', () => {
  const vectors: [string, number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ];
  for (const [text, hash] of vectors) expect(murmur2(utf8(text))).toBe(hash);
});

test('a key goes to the partition where a Kafka producer would put it', () => {
  for (const partitions of [1, 2, 7, 256]) {
    expect(partitionOfKey(utf8('foobar'), partitions)).toBe((-790332482 & 0x7fffffff) % partitions);
  }
});
