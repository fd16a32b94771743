import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EngineOptions, Tailwater } from '../../src/index.ts';

/** An engine on an empty folder that compacts only when it is told to, in this process; the folder goes with it. */
export async function withEngine<T>(
  work: (tailwater: Tailwater, dataDir: string) => Promise<T>,
  options: Partial<EngineOptions> = {},
): Promise<T> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tailwater-test-'));
  const tailwater = await Tailwater.open({ dataDir, compactionHost: 'inline', compaction: { auto: false }, ...options });
  try {
    return await work(tailwater, dataDir);
  } finally {
    await tailwater.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}
