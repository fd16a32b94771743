import { DOT_KERNEL_CODE } from './dot-kernel-code.ts';

const PAGE_BYTES = 65_536;

/** The part of the WebAssembly API used here; TypeScript's own types of it come only with the browser's library. */
interface Wasm {
  Module: new (code: Uint8Array) => object;
  Memory: new (limits: { initial: number; maximum: number }) => WasmMemory;
  Instance: new (module: object, imports: { tail: { memory: WasmMemory } }) => { exports: DotFunctions };
}

interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** Addresses and strides are in bytes. */
interface DotFunctions {
  /** The dot product of the query with a row of `stride` bytes (a multiple of 16), both float32. */
  dot(query: number, row: number, stride: number): number;
  /** For each row of `width` int8 (a multiple of 16): the sum of its products with a query of int16, as int32 at `out`. */
  sums(query: number, codes: number, count: number, width: number, out: number): void;
}

/** Memory with dot-product routines over it. Views are void after `grow`. */
export interface DotMemory extends DotFunctions {
  readonly buffer: ArrayBuffer;
  /** Makes room for this many bytes; what was there stays. */
  grow(byteLength: number): void;
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
  const { dot, sums } = new wasm.Instance(kernel, { tail: { memory } }).exports;
  return {
    get buffer() {
      return memory.buffer;
    },
    grow: wanted => {
      const missing = pages(wanted) - memory.buffer.byteLength / PAGE_BYTES;
      if (missing > 0) memory.grow(missing);
    },
    dot,
    sums,
  };
}

/** The same in plain JavaScript: equal sums, and dot products equal but for rounding. */
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
    dot: (query, row, stride) => Math.fround(dotOf(new Float32Array(buffer), query / 4, row / 4, stride / 4)),
    sums: (query, codes, count, width, out) => {
      const factors = new Int16Array(buffer, query, width);
      const rows = new Int8Array(buffer, codes, count * width);
      const sums = new Int32Array(buffer, out, count);
      for (let row = 0; row < count; row++) {
        let sum = 0;
        for (let at = 0; at < width; at++) sum += factors[at] * rows[row * width + at];
        sums[row] = sum;
      }
    },
  };
};

function dotOf(floats: Float32Array, a: number, b: number, width: number): number {
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
