import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Lacking, mavenFile, prepareTrino, type Trino } from './java.ts';
import { exists, lastLine, type Ran, run } from './programs.ts';

const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url));
const ICEBERG_VERSION = '1.10.0';
const ICEBERG_ARTIFACT = `org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:${ICEBERG_VERSION}`;

/** The engines as they are installed: outside the repository, once for each list of versions. */
export interface Environment {
  python: string;
  icebergVersion: string;
  /** Null when Spark cannot run here. */
  icebergJar: string | null;
  /** Null when Trino cannot run here. */
  trino: Trino | null;
  /** Why a package of the list, `spark` or `trino` is not there. */
  missing: Map<string, string>;
}

/** Installs what is missing, by pip and Maven. A package that cannot be had leaves its engine out; Python itself must be there. */
export async function prepareEnvironment(): Promise<Environment> {
  const requirements = await readFile(REQUIREMENTS, 'utf8');
  const id = createHash('sha256').update(requirements).digest('hex').slice(0, 12);
  const cache = process.env.TAILWATER_INTEROP_CACHE ?? join(homedir(), '.cache', 'tailwater-interop');
  const venv = join(cache, id);
  const python = join(venv, 'bin', 'python');
  const missing = await installPackages(venv, python, requirements);
  const [icebergJar, trino] = [await icebergRuntime(cache), await prepareTrino(cache)];
  if (typeof icebergJar !== 'string') missing.set('spark', icebergJar.reason);
  if ('reason' in trino) missing.set('trino', trino.reason);
  return {
    python,
    icebergVersion: ICEBERG_VERSION,
    icebergJar: typeof icebergJar === 'string' ? icebergJar : null,
    trino: 'reason' in trino ? null : trino,
    missing,
  };
}

async function installPackages(venv: string, python: string, requirements: string): Promise<Map<string, string>> {
  const done = join(venv, 'installed');
  if (await exists(done)) return new Map();
  await mkdir(venv, { recursive: true });
  const made = await run('python3', ['-m', 'venv', venv]);
  if (made.code !== 0) throw new Error(`No virtual environment: ${made.stderr}`);
  const pip = (...what: string[]): Promise<Ran> =>
    run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...what]);
  const missing = new Map<string, string>();
  if ((await pip('-r', REQUIREMENTS)).code !== 0) {
    for (const each of requirements.split('\n').filter(line => line !== '')) {
      const { code, stderr } = await pip(each);
      if (code !== 0) missing.set(each.split(/[=[]/)[0], lastLine(stderr));
    }
  }
  if (missing.size === 0) await writeFile(done, '');
  return missing;
}

async function icebergRuntime(cache: string): Promise<string | Lacking> {
  if ((await run('java', ['-version'])).code !== 0) return { reason: 'Java is not installed' };
  return mavenFile(cache, ICEBERG_ARTIFACT);
}
