import { join } from 'node:path';
import { type EngineOptions, Tailwater } from '../../src/index.ts';
import { serve } from '../../src/server/index.ts';
import type { BenchContext } from './figures.ts';

/** An engine in this process with its HTTP face on a free port; the load comes from other processes. */
export async function withServer<T>(
  context: BenchContext,
  name: string,
  options: Partial<EngineOptions>,
  work: (tailwater: Tailwater, url: string) => Promise<T>,
): Promise<T> {
  const tailwater = await Tailwater.open({ dataDir: join(context.folder, name), ...options });
  const server = await serve(tailwater.engine, { host: '127.0.0.1', port: 0 });
  try {
    return await work(tailwater, server.url);
  } finally {
    await server.close();
    await tailwater.close();
  }
}
