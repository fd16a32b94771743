import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url));
const ICEBERG_VERSION = '1.10.0';
const ICEBERG_ARTIFACT = `org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:${ICEBERG_VERSION}`;

/** The engines as they are installed: outside the repository, once for each list of versions. */
export interface Environment {
  python: string;
  icebergVersion: string;
  /** Null when Spark cannot run here. */
  icebergJar: string | null;
  /** Why a package of the list, or `spark`, is not there. */
  missing: Map<string, string>;
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Spark's programs are short: compiling less of them is most of their time. */
const ENVIRONMENT = { ...process.env, JDK_JAVA_OPTIONS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' };

/** `input` is its standard input. A program that is not there ends with code -1. */
export function run(program: string, args: readonly string[], input = ''): Promise<Ran> {
  return new Promise(resolve => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: ENVIRONMENT });
    const ran: Ran = { code: -1, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', text => {
      ran.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', text => {
      ran.stderr += text;
    });
    child.on('error', error => resolve({ ...ran, stderr: error.message }));
    child.on('close', code => resolve({ ...ran, code: code ?? -1 }));
    child.stdin.on('error', () => {}).end(input);
  });
}

/** Installs what is missing, by pip and Maven. A package that cannot be had leaves its engine out; Python itself must be there. */
export async function prepareEnvironment(): Promise<Environment> {
  const requirements = await readFile(REQUIREMENTS, 'utf8');
  const id = createHash('sha256').update(requirements).digest('hex').slice(0, 12);
  const cache = process.env.TAILWATER_INTEROP_CACHE ?? join(homedir(), '.cache', 'tailwater-interop');
  const venv = join(cache, id);
  const python = join(venv, 'bin', 'python');
  const missing = await installPackages(venv, python, requirements);
  const icebergJar = await icebergRuntime(cache);
  if (typeof icebergJar !== 'string') missing.set('spark', icebergJar.reason);
  return { python, icebergVersion: ICEBERG_VERSION, icebergJar: typeof icebergJar === 'string' ? icebergJar : null, missing };
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

async function icebergRuntime(cache: string): Promise<string | { reason: string }> {
  if ((await run('java', ['-version'])).code !== 0) return { reason: 'Java is not installed' };
  const jar = join(cache, `iceberg-spark-runtime-3.5_2.12-${ICEBERG_VERSION}.jar`);
  if (await exists(jar)) return jar;
  const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1';
  for (const goal of [
    ['get', '-Dtransitive=false'],
    ['copy', `-DoutputDirectory=${cache}`],
  ]) {
    const { code, stdout, stderr } = await run('mvn', [
      '-q',
      '-B',
      `${plugin}:${goal[0]}`,
      `-Dartifact=${ICEBERG_ARTIFACT}`,
      goal[1],
    ]);
    if (code !== 0) return { reason: `the Iceberg runtime for Spark cannot be had: ${lastLine(stdout + stderr)}` };
  }
  return jar;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
}
