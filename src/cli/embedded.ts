import { Tailwater } from '../server/index.ts';
import type { Connection } from './connect.ts';
import { exactReader } from './exact-reader.ts';

/**
 * The data folder itself, for one command: it has no searches to protect from a compaction, so that needs no process of its own, and no readers
 * whom a collection would have to wait for.
 */
export async function openEmbedded(dataDir: string): Promise<Connection> {
  const tailwater = await Tailwater.open({ dataDir, compactionHost: 'inline', collection: { auto: false, graceMs: 0 } });
  return { api: tailwater, reader: exactReader(tailwater) };
}
