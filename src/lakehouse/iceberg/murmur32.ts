/** MurmurHash3, x86, 32 bits, seed 0: what Iceberg's `bucket` is made of. Returns a signed integer. */
export function murmur32(bytes: Uint8Array): number {
  let hash = 0;
  const end = bytes.length & ~3;
  for (let at = 0; at < end; at += 4) {
    hash ^= mixed(bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24));
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= end; at--) tail = (tail << 8) | bytes[at];
  hash ^= mixed(tail) ^ bytes.length;
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function mixed(word: number): number {
  const product = Math.imul(word, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}
