import { test } from 'vitest';
import { utf8 } from '../../src/base/index.ts';
import { decodeHeader, decodeObject, encodeObject, HEADER_BYTES } from '../../src/storage/file/object-format.ts';
import { expectDamageRefused } from '../harness/damaged-bytes.ts';

const KEY = 'a/key';
const file = encodeObject(KEY, new Uint8Array(8).fill(7), utf8('the content of an object'));

test('an object is never read from a damaged file, nor one of other content or no content', () => {
  expectDamageRefused({
    decode: bytes => decodeObject(KEY, bytes),
    samples: [file, encodeObject(KEY, new Uint8Array(8), new Uint8Array(0))],
  });
});

test('a damaged header is noticed before any content is read', () => {
  expectDamageRefused({
    decode: header => decodeHeader(KEY, header.subarray(0, HEADER_BYTES), file.length - HEADER_BYTES + header.length),
    samples: [file.subarray(0, HEADER_BYTES)],
  });
});
