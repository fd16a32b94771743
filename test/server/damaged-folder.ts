import { cp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isTailwaterError, type Random } from '../../src/base/index.ts';
import type { QueryRequest } from '../../src/retrieval/index.ts';
import { type EngineOptions, Tailwater } from '../../src/server/index.ts';

/** The streams of the folder, some of their keys, the segment up to which each has a table, and tokens of earlier instants. */
export interface Landmarks {
  streams: {
    name: string;
    incarnation: string;
    keys: string[];
    partitions: number;
    vector: boolean;
    text: boolean;
    logSeq: number;
    statistics: string[];
  }[];
  tokens: { stream: string; token: string }[];
}

export type Damage = 'flip' | 'truncate' | 'swap';

/** What one read of everything found: an answer, or an error. */
export type Outcome = { answer: string } | { code: string; text: string };

/** Every file that holds data, by kind. Files of one kind have one format, so that swapping two of them is possible. */
export async function filesByKind(dataDir: string): Promise<Map<string, string[]>> {
  const kinds = new Map<string, string[]>();
  const names = await readdir(dataDir, { recursive: true, withFileTypes: true });
  const files = names.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name).slice(dataDir.length + 1));
  for (const file of files.sort()) {
    const kind = kindOf(file);
    if (kind !== null) kinds.set(kind, [...(kinds.get(kind) ?? []), file]);
  }
  return kinds;
}

const KINDS: readonly [RegExp, string | null][] = [
  [/^lock\.db|\.lock\.db/, null],
  [/^format\.json$/, 'format'],
  [/^log\/.*\.log$/, 'log file'],
  [/^log\/.*checkpoint-/, 'log checkpoint'],
  [/^log\/.*floor$/, 'log floor'],
  [/^objects\/catalog\/entries/, 'catalog entry'],
  [/^objects\/catalog\/checkpoints/, 'catalog checkpoint'],
  [/^objects\/tables\/.*\/state\/entries/, 'table state'],
  [/^objects\/tables\/.*\/state\/checkpoints/, 'table state checkpoint'],
  [/^objects\/tables\/.*\/state\/floor/, 'table state floor'],
  [/^objects\/tables\/.*\/statistics/, 'statistics'],
  [/^objects\/vectors/, 'vectors'],
  [/^iceberg\/.*\/metadata\/.*-list-.*\.avro$/, 'Iceberg manifest list'],
  [/^iceberg\/.*\/metadata\/.*\.avro$/, 'Iceberg manifest'],
  [/^iceberg\/.*\/metadata\/.*\.json$/, 'Iceberg metadata'],
  [/^iceberg\/.*\/data\/.*-deletes-.*\.parquet$/, 'Iceberg deletes'],
  [/^iceberg\/.*\/data\/.*\.parquet$/, 'Iceberg data'],
  [/^lance\/.*_versions/, 'Lance manifest'],
  [/^lance\/.*_indices/, 'Lance index'],
  [/^lance\/.*_deletions/, 'Lance deletions'],
  [/^lance\/.*_transactions/, 'Lance transaction'],
  [/^lance\/.*data/, 'Lance data'],
];

function kindOf(file: string): string | null {
  const known = KINDS.find(([pattern]) => pattern.test(file));
  return known === undefined ? `unknown file ${file}` : known[1];
}

/** Does it to one file of the kind, or to two; returns them, or null when the kind has too few files or they are equal. */
export async function inflict(
  dataDir: string,
  files: readonly string[],
  damage: Damage,
  random: Random,
): Promise<string[] | null> {
  const pick = (below: number): number => Math.floor(random.float() * below);
  const file = files[pick(files.length)];
  const path = join(dataDir, file);
  const bytes = await readFile(path);
  if (damage === 'truncate') {
    await truncate(path, pick(bytes.length));
    return [file];
  }
  if (damage === 'flip') {
    bytes[pick(bytes.length)] ^= 1 << pick(8);
    await writeFile(path, bytes);
    return [file];
  }
  const others: string[] = [];
  for (const other of files) if (!bytes.equals(await readFile(join(dataDir, other)))) others.push(other);
  if (others.length === 0) return null;
  const other = join(dataDir, others[pick(others.length)]);
  await rename(path, `${path}.swap`);
  await rename(other, path);
  await rename(`${path}.swap`, other);
  return [file, other.slice(dataDir.length + 1)];
}

/** Opens a copy of the folder, damaged or not, and reads everything there is, each answer on its own. */
export async function readCopy(
  dataDir: string,
  copy: string,
  landmarks: Landmarks,
  options: Partial<EngineOptions>,
  damage: (copy: string) => Promise<string[] | null>,
): Promise<{ files: string[]; outcomes: Map<string, Outcome> } | null> {
  await cp(dataDir, copy, { recursive: true });
  try {
    const files = await damage(copy);
    if (files === null) return null;
    return { files, outcomes: await readEverything(copy, landmarks, options) };
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

async function readEverything(
  dataDir: string,
  landmarks: Landmarks,
  options: Partial<EngineOptions>,
): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  const note = async (probe: string, run: () => Promise<unknown>): Promise<void> => {
    outcomes.set(probe, await run().then(answerOf, errorOf));
  };
  let opened: Tailwater | null = null;
  await note('open', async () => {
    opened = await Tailwater.open({ dataDir, compactionHost: 'inline', compaction: { auto: false }, ...options });
  });
  if (opened === null) return outcomes;
  const tailwater: Tailwater = opened;
  try {
    await note('streams', async () => (await tailwater.listStreams()).map(stream => stream.definition));
    for (const stream of landmarks.streams) await probeStream(tailwater, stream, note);
    for (const [index, { stream, token }] of landmarks.tokens.entries()) {
      const request = { mode: 'filter', filter: {}, limit: 1_000, consistency: { asOf: token } } as const;
      await note(`past ${index} of ${stream}`, async () => hitsOf(await tailwater.query(stream, request)));
    }
    await note('health', async () => (await tailwater.health()).problems);
    return outcomes;
  } finally {
    await tailwater.close();
  }
}

type Note = (probe: string, run: () => Promise<unknown>) => Promise<void>;

async function probeStream(tailwater: Tailwater, stream: Landmarks['streams'][number], note: Note): Promise<void> {
  const { name, keys, partitions, vector, text } = stream;
  for (let partition = 0; partition < partitions; partition++) {
    await note(`records of ${name}/${partition}`, async () => (await tailwater.read(name, { partition, limit: 1_000 })).records);
  }
  for (const key of keys) await note(`row ${key} of ${name}`, async () => (await tailwater.getRow(name, key)).record);
  const searches: Record<string, QueryRequest> = {
    ...(text ? { text: { mode: 'text', text: 'harbour tide storm', limit: 50 } } : {}),
    filter: { mode: 'filter', filter: { price: { $gte: 3 } }, limit: 1_000 },
    ...(vector ? { vector: { mode: 'vector', vector: [1, 2, 3, 4], limit: 50 } } : {}),
  };
  for (const [kind, request] of Object.entries(searches)) {
    await note(`${kind} in ${name}`, async () => hitsOf(await tailwater.query(name, request)));
  }
}

function hitsOf({ hits, freshness }: Awaited<ReturnType<Tailwater['query']>>): object {
  return {
    complete: freshness.complete,
    skipped: freshness.skipped,
    hits: hits.map(({ key, partition, offset, value, score }) => ({ key, partition, offset, value, score })),
  };
}

function answerOf(answer: unknown): Outcome {
  return { answer: JSON.stringify(answer) ?? 'done' };
}

function errorOf(error: unknown): Outcome {
  if (!isTailwaterError(error))
    return { code: 'no TailwaterError', text: error instanceof Error ? `${error.stack}` : String(error) };
  return { code: error.code, text: `${error.message} ${JSON.stringify(error.data ?? {})}` };
}

/**
 * What is wrong with the outcomes: answers that are neither right, nor refused by name, nor marked as incomplete while the node's health
 * names what is missing. Empty: the damage was noticed or harmless.
 */
export function faultsOf(
  expected: ReadonlyMap<string, Outcome>,
  found: ReadonlyMap<string, Outcome>,
  names: readonly string[],
): string[] {
  const faults: string[] = [];
  const health = found.get('health');
  const isNamed = (text: string): boolean => names.some(name => text.includes(name));
  const isReported = health !== undefined && 'answer' in health && isNamed(health.answer);
  for (const [probe, outcome] of found) {
    if (probe === 'health') continue;
    const right = expected.get(probe)!;
    if ('answer' in outcome) {
      const isRight = 'answer' in right && outcome.answer === right.answer;
      const isMarked = isReported && outcome.answer.startsWith('{"complete":false');
      if (!isRight && !isMarked) faults.push(`${probe}: a wrong answer: ${difference(outcome, right)}`);
    } else if ('code' in right && right.code === outcome.code) {
      // As without damage.
    } else if (!outcome.code.startsWith('TW_') || outcome.code === 'TW_INTERNAL')
      faults.push(`${probe}: ${outcome.code}: ${outcome.text}`);
    else if (!isNamed(outcome.text)) faults.push(`${probe}: unnamed ${outcome.code}: ${outcome.text}`);
  }
  return faults;
}

function difference(found: Outcome, right: Outcome): string {
  const [a, b] = [JSON.stringify(found), JSON.stringify(right)];
  let at = 0;
  while (a[at] === b[at] && at < a.length) at++;
  return `…${a.slice(Math.max(0, at - 60), at + 60)}… instead of …${b.slice(Math.max(0, at - 60), at + 60)}…`;
}

/** Whether some read failed, or was marked as incomplete, that does not without the damage. */
export function isNoticed(expected: ReadonlyMap<string, Outcome>, found: ReadonlyMap<string, Outcome>): boolean {
  return [...found].some(([probe, outcome]) => {
    const right = expected.get(probe);
    if ('code' in outcome) return right === undefined || !('code' in right);
    return probe === 'health' && right !== undefined && 'answer' in right && outcome.answer !== right.answer;
  });
}
