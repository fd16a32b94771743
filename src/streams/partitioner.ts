/**
 * The partition of a key, as Apache Kafka's default partitioner chooses it (`Utils.murmur2`, made positive, modulo the partitions), so that
 * Kafka producers and Tailwater agree on where a key lives.
 */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return partitions === 1 ? 0 : (murmur2(key) & 0x7fff_ffff) % partitions;
}

/** MurmurHash2, 32 bits, with Kafka's seed; a signed 32-bit integer. */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length;
  const wholeBytes = length & ~3;
  let hash = 0x9747b28c ^ length;
  for (let at = 0; at < wholeBytes; at += 4) {
    let word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    word = Math.imul(word, 0x5bd1e995);
    word ^= word >>> 24;
    hash = Math.imul(hash, 0x5bd1e995) ^ Math.imul(word, 0x5bd1e995);
  }
  if (length > wholeBytes) {
    for (let at = length - 1; at >= wholeBytes; at--) hash ^= bytes[at] << ((at & 3) * 8);
    hash = Math.imul(hash, 0x5bd1e995);
  }
  hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1e995);
  return hash ^ (hash >>> 15);
}
