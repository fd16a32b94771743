import { describe, test } from 'vitest';
import { crc32c, utf8 } from '../../src/base/index.ts';
import { parseLayout } from '../../src/lakehouse/columns/layout.ts';
import { decodeTableState, encodeTableState } from '../../src/lakehouse/states/codec.ts';
import { StatisticsCollector } from '../../src/lakehouse/statistics/collector.ts';
import { decodeLayer, encodeLayer } from '../../src/lakehouse/statistics/layer.ts';
import { type Codec, expectBoundedMemory, expectDamageRefused, expectNoCrash } from '../harness/damaged-bytes.ts';
import { emptyState } from './compact-support.ts';

function layerBytes(): Uint8Array {
  const collector = new StatisticsCollector();
  for (const key of ['a', 'b', 'c']) collector.addKey(utf8(key), 1);
  for (const terms of [['sea', 'river'], ['sea'], ['tide', 'sea']]) collector.addText(terms, 1);
  return encodeLayer(collector.finish());
}

const LAYER: Codec = { decode: decodeLayer, samples: [layerBytes()] };

describe('a layer of table statistics', () => {
  test('is never read from damaged bytes', () => {
    expectDamageRefused(LAYER);
  });

  test('whose checksum is right is read or refused, in bounded memory', () => {
    const decode = (bytes: Uint8Array): unknown => {
      if (bytes.length < 4) return null;
      const sealed = Uint8Array.from(bytes);
      new DataView(sealed.buffer).setUint32(sealed.length - 4, crc32c(sealed.subarray(0, -4)));
      return decodeLayer(sealed);
    };
    const codec = { ...LAYER, decode };
    expectNoCrash(codec);
    expectBoundedMemory(codec);
  });
});

/** A state is plain JSON: that a digit of it changed, only the checksum of its object can tell (S5). */
test('a table state is read or refused, whatever the bytes are', () => {
  const samples = [encodeTableState(emptyState({ n: 3 }))];
  expectNoCrash({ decode: bytes => decodeTableState(bytes, 'life', 3), samples });
});

/** Layouts are in pages of LanceDB, which have no checksum. */
test('the layout of a row is read or refused, whatever its text is', () => {
  const samples = ['s0-3,+,(1,4n,),5f', '-', '0'].map(utf8);
  expectNoCrash({ decode: bytes => parseLayout(Buffer.from(bytes).toString()), samples });
});
