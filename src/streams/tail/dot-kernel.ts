import { DOT_KERNEL_CODE } from './dot-kernel-code.ts';

const PAGE_BYTES = 65_536;

/** The part of the WebAssembly API used here; TypeScript's own types of it come only with the browser's library. */
interface Wasm {
  Module: new (code: Uint8Array) => object;
  Memory: new (limits: { initial: number; maximum: number }) => WasmMemory;
  Instance: new (module: object, imports: { tail: { memory: WasmMemory } }) => { exports: { dots: DotsFunction } };
}

interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

type DotsFunction = (query: number, rows: number, count: number, stride: number, out: number) => void;

/** Memory with a dot-product routine over it. Addresses and strides are in bytes; views are void after `grow`. */
export interface DotMemory {
  readonly buffer: ArrayBuffer;
  /** Makes room for this many bytes; what was there stays. */
  grow(byteLength: number): void;
  /** For each of `count` rows (a multiple of 4) of `stride` bytes (a multiple of 16): its dot product with the query, as float32 at `out`. */
  dots: DotsFunction;
}

export type DotMemoryFactory = (byteLength: number, maxByteLength: number) => DotMemory;

const { WebAssembly: wasm } = globalThis as unknown as { WebAssembly: Wasm };
let kernel: object | null = null;

/** SIMD memory; plain memory where the platform grants none (address space is reserved per memory, and may run out). */
export const createDotMemory: DotMemoryFactory = (byteLength, maxByteLength) => {
  try {
    return simdMemory(byteLength, maxByteLength);
  } catch (error) {
    if (error instanceof RangeError) return plainMemory(byteLength, maxByteLength);
    throw error;
  }
};

function simdMemory(byteLength: number, maxByteLength: number): DotMemory {
  kernel ??= new wasm.Module(Buffer.from(DOT_KERNEL_CODE, 'base64'));
  const memory = new wasm.Memory({ initial: pages(byteLength), maximum: pages(maxByteLength) });
  const { dots } = new wasm.Instance(kernel, { tail: { memory } }).exports;
  return {
    get buffer() {
      return memory.buffer;
    },
    grow: wanted => {
      const missing = pages(wanted) - memory.buffer.byteLength / PAGE_BYTES;
      if (missing > 0) memory.grow(missing);
    },
    dots,
  };
}

/** The same in plain JavaScript; equal to the SIMD routine but for rounding. */
export const plainMemory: DotMemoryFactory = byteLength => {
  let buffer = new ArrayBuffer(byteLength);
  return {
    get buffer() {
      return buffer;
    },
    grow: wanted => {
      if (wanted <= buffer.byteLength) return;
      const grown = new ArrayBuffer(wanted);
      new Uint8Array(grown).set(new Uint8Array(buffer));
      buffer = grown;
    },
    dots: (query, rows, count, stride, out) => {
      const floats = new Float32Array(buffer);
      const width = stride / 4;
      for (let row = 0; row < count; row++) floats[out / 4 + row] = dot(floats, query / 4, rows / 4 + row * width, width);
    },
  };
};

function dot(floats: Float32Array, a: number, b: number, width: number): number {
  let sum0 = 0;
  let sum1 = 0;
  for (let at = 0; at < width; at += 2) {
    sum0 += floats[a + at] * floats[b + at];
    sum1 += floats[a + at + 1] * floats[b + at + 1];
  }
  return sum0 + sum1;
}

function pages(byteLength: number): number {
  return Math.ceil(byteLength / PAGE_BYTES);
}
