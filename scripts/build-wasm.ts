/** Writes src/streams/tail/dot-kernel-code.ts from dot-kernel.wat. Run with `node scripts/build-wasm.ts` after changing the source. */
import { readFile, writeFile } from 'node:fs/promises';
import loadWabt from 'wabt';

const folder = new URL('../src/streams/tail/', import.meta.url);
const wabt = await loadWabt();
const module = wabt.parseWat('dot-kernel.wat', await readFile(new URL('dot-kernel.wat', folder), 'utf8'), { simd: true });
module.validate();
const code = Buffer.from(module.toBinary({}).buffer).toString('base64');
const lines = code.match(/.{1,116}/g) ?? [];
const text = `/** The binary of dot-kernel.wat in base64; written by scripts/build-wasm.ts. */
export const DOT_KERNEL_CODE =
${lines.map(line => `  '${line}'`).join(' +\n')};
`;
await writeFile(new URL('dot-kernel-code.ts', folder), text);
