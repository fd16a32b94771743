import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { icebergRead } from 'icebird';
import type { Row } from './fixtures.ts';
import type { Specification } from './specification.ts';

/** icebird fetches everything; tables of a folder have addresses of files, which Node's fetch does not open. */
export function fetchingFiles(): Disposable {
  const before = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const url = String(input instanceof Request ? input.url : input);
    if (!url.startsWith('file:')) return before(input, init);
    const bytes = await readFile(fileURLToPath(url));
    const range = /^bytes=(\d+)-(\d*)$/.exec(new Headers(init?.headers).get('range') ?? '');
    if (range === null)
      return new Response(init?.method === 'HEAD' ? null : bytes, { headers: { 'content-length': String(bytes.length) } });
    const end = range[2] === '' ? bytes.length - 1 : Number(range[2]);
    return new Response(bytes.subarray(Number(range[1]), end + 1), { status: 206 });
  };
  return {
    [Symbol.dispose]: () => {
      globalThis.fetch = before;
    },
  };
}

const PACKAGE = fileURLToPath(new URL('../../package.json', import.meta.url));
export const ICEBIRD_VERSION: string = JSON.parse(readFileSync(PACKAGE, 'utf8')).devDependencies.icebird;

/** The rows of a table, from the metadata that the catalog gave. */
export async function icebirdRows(spec: Specification, name: string): Promise<Row[]> {
  const metadata = spec.metadata[name] as NonNullable<Parameters<typeof icebergRead>[0]['metadata']>;
  const rows = await icebergRead({ tableUrl: metadata.location, metadata });
  return rows.map(row => Object.fromEntries(spec.columns[name].map(column => [column, plain(row[column])])));
}

function plain(value: unknown): Row[string] {
  if (value instanceof Date) return value.getTime() * 1000;
  if (typeof value === 'bigint') return Number(value);
  return (value ?? null) as Row[string];
}
