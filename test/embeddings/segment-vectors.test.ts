import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { crc32c, systemRandom } from '../../src/base/index.ts';
import { SegmentVectors } from '../../src/embeddings/index.ts';
import { FileObjectStore, MemoryObjectStore, nodeFileSystem } from '../../src/storage/index.ts';

const MODEL = { provider: 'openai', model: 'm', dimensions: 2 };

function entries(...pairs: [number, number, number][]) {
  return pairs.map(([seqIndex, x, y]) => ({ seqIndex, vector: Float32Array.of(x, y) }));
}

describe('SegmentVectors', () => {
  test('whoever embeds a segment first decides for everyone', async () => {
    const store = new MemoryObjectStore();
    const one = new SegmentVectors(store, 'life', MODEL);
    const two = new SegmentVectors(store, 'life', MODEL);
    const first = await one.write(7, entries([0, 1, 0], [9, 0, 1]));
    const second = await two.write(7, entries([0, 0.5, 0.5]));
    expect(first.vectorOf(9)).toEqual(Float32Array.of(0, 1));
    expect(second.vectorOf(0)).toEqual(Float32Array.of(1, 0));
    expect((await two.read(7))!.vectorOf(3)).toBeUndefined();
    expect(await two.read(8)).toBeNull();
  });

  test('keeps models and lives apart', async () => {
    const store = new MemoryObjectStore();
    await new SegmentVectors(store, 'life', MODEL).write(1, entries([0, 1, 0]));
    expect(await new SegmentVectors(store, 'life', { ...MODEL, model: 'n' }).read(1)).toBeNull();
    expect(await new SegmentVectors(store, 'other', MODEL).read(1)).toBeNull();
  });

  test('gives the vectors back that were written, whatever kind of bytes the store gives back', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tailwater-vectors-'));
    const store = new FileObjectStore(nodeFileSystem, folder, systemRandom);
    await new SegmentVectors(store, 'life', MODEL).write(7, entries([0, 0.6, 0.8], [9, 0, 1]));
    const read = (await new SegmentVectors(store, 'life', MODEL).read(7))!;
    expect([read.vectorOf(0), read.vectorOf(9)]).toEqual([Float32Array.of(0.6, 0.8), Float32Array.of(0, 1)]);
    await rm(folder, { recursive: true });
  });

  test('serves no damaged vector, and names the object', async () => {
    const store = new MemoryObjectStore();
    const vectors = new SegmentVectors(store, 'life', MODEL);
    await vectors.write(1, entries([0, 1, 0]));
    const [{ key }] = await store.list('vectors/');
    const bytes = Uint8Array.from((await store.get(key))!.bytes);
    const refused = { code: 'TW_DATA_DAMAGED', message: expect.stringContaining(key) };
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] ^= 1 << (at % 8);
      for (const wrong of [damaged, bytes.subarray(0, at)]) {
        await store.put(key, wrong);
        await expect(vectors.read(1)).rejects.toMatchObject(refused);
      }
    }
    const hostile = Uint8Array.from(bytes);
    const view = new DataView(hostile.buffer);
    view.setUint32(12, 0x7fff_ffff);
    view.setUint32(4, crc32c(hostile.subarray(8)));
    await store.put(key, hostile);
    await expect(vectors.read(1)).rejects.toMatchObject(refused);
  });
});
