import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asTailwaterError } from '../base/index.ts';
import { arrowStream, ndjsonLines, type OpenScan, type ScanRequest, writeParquet } from '../snapshot/index.ts';
import type { ScanAnswer, ScanFormat } from './api.ts';
import type { EngineLike } from './engine-types.ts';

export const SCAN_TYPES: Readonly<Record<ScanFormat, string>> = {
  arrow: 'application/vnd.apache.arrow.stream',
  ndjson: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
};

/**
 * A scan as bytes. What is wrong from the start is thrown here; what goes wrong later, while `body` is read. A Parquet file is whole before
 * its first byte is given.
 */
export async function openScanBody(
  engine: EngineLike,
  name: string,
  format: ScanFormat,
  request: ScanRequest,
  signal?: AbortSignal,
): Promise<ScanAnswer> {
  const scan = await engine.scan(name, request, signal);
  const { freshness, token } = scan;
  return { format, freshness, token, body: await begun(await bytesOf(format, scan), format === 'arrow' ? 2 : 1) };
}

async function bytesOf(format: ScanFormat, scan: OpenScan): Promise<AsyncGenerator<Uint8Array>> {
  if (format === 'parquet') return parquetFile(scan);
  return format === 'arrow' ? arrowStream(scan) : ndjsonLines(scan);
}

/** With its first parts read already: so far there is still a way to say what is wrong. */
async function begun(bytes: AsyncGenerator<Uint8Array>, parts: number): Promise<AsyncGenerator<Uint8Array>> {
  const first: Uint8Array[] = [];
  while (first.length < parts) {
    const next = await bytes.next();
    if (next.done) break;
    first.push(next.value);
  }
  return rest(first, bytes);
}

async function* rest(first: readonly Uint8Array[], bytes: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* first;
    yield* bytes;
  } catch (error) {
    throw asTailwaterError(error);
  } finally {
    await bytes.return(undefined);
  }
}

async function* parquetFile(scan: OpenScan): AsyncGenerator<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'tailwater-scan-'));
  try {
    const path = join(folder, 'scan.parquet');
    await writeParquet(scan, path, { temporaryFolder: join(folder, 'spill') });
    yield* createReadStream(path, { highWaterMark: 1024 * 1024 });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
