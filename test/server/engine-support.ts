import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EngineOptions, Tailwater } from '../../src/server/index.ts';

export interface TemporaryFolder extends AsyncDisposable {
  path: string;
}

export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), 'tailwater-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export interface TestEngine extends AsyncDisposable {
  tailwater: Tailwater;
  dataDir: string;
}

/** A real engine on a folder of its own, which compacts when it is told to and in this process. */
export async function temporaryEngine(options: Partial<EngineOptions> = {}): Promise<TestEngine> {
  const folder = await temporaryFolder();
  const dataDir = join(folder.path, 'data');
  const tailwater = await Tailwater.open({ dataDir, compactionHost: 'inline', compaction: { auto: false }, ...options });
  return {
    tailwater,
    dataDir,
    async [Symbol.asyncDispose]() {
      await tailwater.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}
