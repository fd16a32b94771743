import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exists, lastLine, run } from './programs.ts';

const PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1';
const TRINO_VERSION = '476';
/** Of the Java that Trino needs; Spark runs on an older one. */
const TRINO_JAVA = 24;
const JAVA_FOLDER = '/usr/lib/jvm';

/** What an engine cannot be run without. */
export interface Lacking {
  reason: string;
}

export interface Trino {
  version: string;
  java: string;
  /** The folder that it is unpacked in. */
  home: string;
}

/** A file of Maven Central in the folder, such as `group:name:version:zip`; fetched when it is not there. */
export async function mavenFile(folder: string, artifact: string): Promise<string | Lacking> {
  const [, name, version, packaging = 'jar'] = artifact.split(':');
  const file = join(folder, `${name}-${version}.${packaging}`);
  if (await exists(file)) return file;
  for (const goal of [
    ['get', '-Dtransitive=false'],
    ['copy', `-DoutputDirectory=${folder}`],
  ]) {
    const { code, stdout, stderr } = await run('mvn', ['-q', '-B', `${PLUGIN}:${goal[0]}`, `-Dartifact=${artifact}`, goal[1]]);
    if (code !== 0) return { reason: `${name} cannot be had: ${lastLine(stdout + stderr)}` };
  }
  return file;
}

/** Its server without plugins, and the one plugin that is needed: a quarter of the whole. */
export async function prepareTrino(cache: string): Promise<Trino | Lacking> {
  const java = await javaOf(TRINO_JAVA);
  if (java === null) return { reason: `Java ${TRINO_JAVA} or newer is not installed` };
  const folder = join(cache, `trino-${TRINO_VERSION}`);
  const trino = { version: TRINO_VERSION, java, home: join(folder, `trino-server-core-${TRINO_VERSION}`) };
  if (await exists(join(folder, 'unpacked'))) return trino;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const files = [`trino-server-core:${TRINO_VERSION}:tar.gz`, `trino-iceberg:${TRINO_VERSION}:zip`];
  for (const each of files) {
    const file = await mavenFile(folder, `io.trino:${each}`);
    if (typeof file !== 'string') return file;
    const unpacked = each.endsWith('zip')
      ? await run('python3', ['-m', 'zipfile', '-e', file, folder])
      : await run('tar', ['xzf', file, '-C', folder]);
    if (unpacked.code !== 0) return { reason: lastLine(unpacked.stderr) };
    await rm(file);
  }
  await rename(join(folder, `trino-iceberg-${TRINO_VERSION}`), join(trino.home, 'plugin', 'iceberg'));
  await writeFile(join(folder, 'unpacked'), '');
  return trino;
}

/** A Java of at least this version: the one of the PATH, or another that is installed beside it. */
async function javaOf(version: number): Promise<string | null> {
  const others = (await readdir(JAVA_FOLDER).catch(() => [])).map(name => join(JAVA_FOLDER, name, 'bin', 'java'));
  for (const java of ['java', ...others]) {
    if (java !== 'java' && !(await exists(java))) continue;
    const { code, stderr } = await run(java, ['-version']);
    if (code === 0 && Number(/version "(\d+)/.exec(stderr)?.[1]) >= version) return java;
  }
  return null;
}
