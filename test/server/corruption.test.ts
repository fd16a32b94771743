import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/index.ts';
import { EmbeddingServer } from '../embeddings/embedding-server.ts';
import {
  type Damage,
  faultsOf,
  filesByKind,
  inflict,
  isNoticed,
  type Landmarks,
  type Outcome,
  readCopy,
} from './damaged-folder.ts';
import { type TemporaryFolder, temporaryFolder } from './engine-support.ts';
import { buildFullFolder } from './full-folder.ts';

let folder: TemporaryFolder;
let embeddings: EmbeddingServer;
let landmarks: Landmarks;
let kinds: Map<string, string[]>;
let expected: ReadonlyMap<string, Outcome>;

const DAMAGES: readonly Damage[] = ['flip', 'truncate', 'swap'];
/** Places to try per kind of file and damage. */
const TRIES = 2;

/** Files with checksums of our own: nothing damaged is ever served. */
const CHECKED = [
  ...['format', 'log file', 'log checkpoint', 'log floor', 'catalog entry'],
  ...['table state', 'table state floor', 'statistics', 'vectors'],
  ...['Iceberg metadata', 'Iceberg manifest list', 'Iceberg manifest', 'Iceberg data', 'Iceberg deletes'],
];
/** Nobody reads these while the files beside them are whole. */
const UNREAD = ['table state checkpoint', 'Lance transaction'];
/**
 * LanceDB writes no checksums. What breaks its structures is an error, and ours names stream and dataset; a changed value inside a page
 * is served (docs/decisions/0008-lance-damage.md).
 */
const UNCHECKED = ['Lance manifest', 'Lance data', 'Lance deletions', 'Lance index'];

const dataDir = (): string => join(folder.path, 'data');
const options = () => ({ openai: { baseURL: embeddings.baseURL, apiKey: 'test' } });

beforeAll(async () => {
  folder = await temporaryFolder();
  embeddings = await EmbeddingServer.start();
  landmarks = await buildFullFolder(dataDir(), options());
  kinds = await filesByKind(dataDir());
  expected = (await damaged(async () => []))!.outcomes;
});

afterAll(async () => {
  await embeddings.stop();
  await folder[Symbol.asyncDispose]();
});

function damaged(damage: (copy: string) => Promise<string[] | null>) {
  return readCopy(dataDir(), join(folder.path, 'copy'), landmarks, options(), damage);
}

/** Every name by which an error may call these files. */
function namesOf(files: readonly string[]): string[] {
  const names = files.flatMap(file => [file, basename(file), basename(file, '.obj')]);
  for (const { name, incarnation } of landmarks.streams)
    if (files.some(file => file.includes(incarnation))) names.push(name, incarnation);
  return names;
}

/** Files that a restarted node reads: vectors of records that no table has yet, and statistics of the newest states. */
function targets(kind: string): string[] {
  const files = kinds.get(kind) ?? [];
  const inUse = new Set(landmarks.streams.flatMap(stream => stream.statistics));
  if (kind === 'statistics') return files.filter(file => inUse.has(file.slice('objects/'.length, -'.obj'.length)));
  if (kind !== 'vectors') return files;
  return files.filter(file =>
    landmarks.streams.some(stream => file.includes(stream.incarnation) && Number.parseInt(basename(file), 10) > stream.logSeq),
  );
}

/** What went wrong in a few tries, each on a fresh copy, and how many times the damage was noticed. */
async function tryDamages(kind: string): Promise<{ faults: string[]; noticed: number }> {
  const faults: string[] = [];
  let noticed = 0;
  for (const damage of DAMAGES) {
    for (let seed = 1; seed <= TRIES; seed++) {
      const result = await damaged(copy => inflict(copy, targets(kind), damage, seededRandom(seed * 7_919 + kind.length)));
      if (result === null) continue;
      const { files, outcomes } = result;
      if (isNoticed(expected, outcomes)) noticed++;
      faults.push(...faultsOf(expected, outcomes, namesOf(files)).map(fault => `${damage} of ${files.join(' and ')}: ${fault}`));
    }
  }
  return { faults, noticed };
}

describe('a data folder with damage', () => {
  test('has every kind of file that there is', () => {
    expect([...kinds.keys()].sort()).toEqual([...CHECKED, ...UNREAD, ...UNCHECKED].sort());
    const errors = [...expected].filter(
      ([probe, outcome]) => 'code' in outcome && !probe.startsWith('past') && !probe.startsWith('row'),
    );
    expect(errors).toEqual([]);
  });

  test.each(CHECKED)('in a %s serves right answers or names what is damaged', { timeout: 120_000 }, async kind => {
    const { faults, noticed } = await tryDamages(kind);
    expect(faults).toEqual([]);
    expect(noticed).toBeGreaterThan(0);
  });

  test.each(UNREAD)('in a %s serves right answers', { timeout: 120_000 }, async kind => {
    expect(await tryDamages(kind)).toEqual({ faults: [], noticed: 0 });
  });

  test.each(UNCHECKED)(
    'in a %s fails with errors that name stream and dataset, and with no other',
    { timeout: 120_000 },
    async kind => {
      const { faults } = await tryDamages(kind);
      expect(faults.filter(fault => !fault.includes(': a wrong answer: '))).toEqual([]);
    },
  );
});
