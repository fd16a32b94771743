import { rename, rm } from 'node:fs/promises';
import { systemClock, systemRandom } from '../../src/base/index.ts';
import { FileJournal } from '../../src/journal/index.ts';
import { TableStates } from '../../src/lakehouse/index.ts';
import { type AppendRecord, type EngineOptions, Tailwater } from '../../src/server/index.ts';
import { FileObjectStore, nodeFileSystem } from '../../src/storage/index.ts';
import type { Landmarks } from './damaged-folder.ts';

const WORDS = ['harbour', 'tide', 'storm', 'anchor', 'vessel'];
const ROUNDS = 4;
const SPLIT_BYTES = 8 * 1024;
const STREAMS = ['orders', 'notes', 'events', 'readings'] as const;

function recordsOf(round: number, count: number): AppendRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const id = `k${(round * 7 + index) % 20}`;
    const text = `${WORDS[(round + index) % 5]} ${WORDS[(round * index) % 5]} note ${round * 100 + index}`;
    return { key: id, value: { id, text, price: (round * 7 + index) % 11, flag: index % 2 === 0 } };
  });
}

/**
 * A data folder with something in every kind of file: upsert streams with vectors from a provider, an append stream, an Iceberg table, several states,
 * deletions, indexes, a floor, segments in the log that no table has yet, and a stream that was deleted.
 */
export async function buildFullFolder(dataDir: string, options: Partial<EngineOptions>): Promise<Landmarks> {
  const tailwater = await Tailwater.open({ dataDir, compactionHost: 'inline', compaction: { auto: false }, ...options });
  const embed = { fields: ['text'], provider: 'openai', model: 'm', dimensions: 4 };
  const search = { fields: ['text'] };
  await tailwater.createStream('gone', { kind: 'append' });
  await tailwater.createStream('orders', { kind: 'upsert', key: 'id', embed, search, partitions: 2 });
  await tailwater.createStream('notes', { kind: 'upsert', key: 'id', embed, search });
  await tailwater.createStream('events', { kind: 'append', search });
  await tailwater.createStream('readings', { kind: 'upsert', key: 'id' });
  await tailwater.deleteStream('gone');
  const landmarks: Landmarks = { streams: [], tokens: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const stream of STREAMS) {
      const { token } = await tailwater.append(stream, recordsOf(round, 12));
      if (round === 0 || round === 2) landmarks.tokens.push({ stream, token });
      await untilEmbedded(tailwater, stream);
      await tailwater.compact(stream, { full: round === 2 });
    }
    for (const stream of ['orders', 'notes', 'readings']) await tailwater.deleteRow(stream, `k${round * 7 + 1}`);
  }
  for (const stream of STREAMS) {
    await tailwater.append(stream, recordsOf(9, 5));
    await untilEmbedded(tailwater, stream);
  }
  const keys = ['k0', 'k3', 'k8', 'k14'];
  for (const name of STREAMS) {
    const { incarnation, kind, partitions, embed, search } = (await tailwater.getStream(name)).definition;
    landmarks.streams.push({
      logSeq: 0,
      statistics: [],
      name,
      incarnation,
      partitions,
      vector: embed !== null,
      text: search !== null,
      keys: kind === 'upsert' ? keys : [],
    });
  }
  await tailwater.close();
  await splitLog(dataDir);
  await raiseFloors(dataDir, landmarks);
  return landmarks;
}

async function untilEmbedded(tailwater: Tailwater, stream: string): Promise<void> {
  if (stream === 'events' || stream === 'readings') return;
  for (;;) {
    const { freshness } = await tailwater.query(stream, { mode: 'vector', vector: [1, 0, 0, 0] });
    if (freshness.complete) return;
    await systemClock.sleep(5);
  }
}

/** The same log in several files, as rotation leaves it. */
async function splitLog(dataDir: string): Promise<void> {
  const folder = `${dataDir}/log/0`;
  const whole = await FileJournal.open(nodeFileSystem, folder);
  const split = await FileJournal.open(nodeFileSystem, `${folder}.split`, { maxFileBytes: SPLIT_BYTES });
  for (let seq = 1; ; seq++) {
    const entry = await whole.read(seq);
    if (entry === null) break;
    await split.create(seq, entry);
  }
  await split.writeCheckpoint((await whole.latestCheckpoint())!);
  await whole.close();
  await split.close();
  await rm(folder, { recursive: true });
  await rename(`${folder}.split`, folder);
}

/** What a collector does after the time of history: states and log files that nobody needs are given up. */
async function raiseFloors(dataDir: string, landmarks: Landmarks): Promise<void> {
  const store = new FileObjectStore(nodeFileSystem, `${dataDir}/objects`, systemRandom);
  for (const stream of landmarks.streams) {
    const states = new TableStates(store, stream.incarnation);
    await states.raiseFloor((await states.read(2))!);
    await states.collect();
    const { logSeq, statistics } = (await states.latest())!;
    Object.assign(stream, { logSeq, statistics });
  }
  const journal = await FileJournal.open(nodeFileSystem, `${dataDir}/log/0`);
  await journal.raiseFloor(Math.min(...landmarks.streams.map(stream => stream.logSeq)) + 1);
  await journal.close();
}
