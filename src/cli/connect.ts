import { existsSync } from 'node:fs';
import { TailwaterError } from '../base/index.ts';
import { TailwaterClient } from '../client.ts';
import type { TailwaterApi } from '../server/index.ts';
import type { CommonOptions } from './context.ts';
import { parseExact } from './exact-json.ts';
import type { RecordReader } from './exact-reader.ts';
import { findServer } from './server-note.ts';

/** A command waits for one answer only, so it can be patient. */
const TIMEOUT_MS = 60_000;

export interface Connection {
  api: TailwaterApi;
  /** The same, with numbers as they were written. */
  reader: RecordReader;
}

/**
 * Runs `work` against the server at --url, else the one that runs on the data folder, else the folder itself, opened for that long.
 * `create`: whether a missing folder is made; a command that only reads says instead that there is none.
 */
export async function withTailwater(
  options: CommonOptions,
  { create }: { create: boolean },
  work: (connection: Connection) => Promise<void>,
): Promise<void> {
  const connection = await connect(options, create);
  try {
    await work(connection);
  } finally {
    await connection.api.close();
  }
}

async function connect(options: CommonOptions, create: boolean): Promise<Connection> {
  const url = options.url ?? (await findServer(options.data))?.url;
  if (url !== undefined) {
    const client = new TailwaterClient({
      url,
      timeoutMs: TIMEOUT_MS,
      parse: parseExact,
      ...(options.apiKey && { apiKey: options.apiKey }),
    });
    return { api: client, reader: client };
  }
  if (!create) requireFolder(options.data);
  const { openEmbedded } = await import('./embedded.ts');
  return openEmbedded(options.data);
}

export function requireFolder(dataDir: string): void {
  if (existsSync(dataDir)) return;
  throw new TailwaterError('TW_SETTING', {
    detail: `There is no data folder at ${dataDir}. Name one with --data, or a server with --url.`,
  });
}
