import { fromUtf8, TailwaterError, utf8 } from '../../base/index.ts';
import type { JournalMachine } from '../../journal/index.ts';
import type { StreamDefinition } from '../definition.ts';
import { WriterSequences } from '../wal/writers.ts';

/** A stream of the catalog: its definition and the log shard that holds all of it. */
export interface CatalogStream {
  definition: StreamDefinition;
  shard: number;
}

export type CatalogChange = { kind: 'created'; stream: CatalogStream } | { kind: 'deleted'; incarnation: string };

/**
 * Catalog entries and checkpoints are JSON texts (UTF-8). An entry is one change, so that its size does not grow with the catalog;
 * the writer's id, sequence and nonce settle unknown outcomes (J2).
 */
interface CatalogEntry {
  formatVersion: number;
  writerId: string;
  writerSequence: number;
  nonce: string;
  change: CatalogChange;
}

interface CatalogCheckpoint {
  formatVersion: number;
  streams: CatalogStream[];
  writers: [string, number][];
  writersForgotten: boolean;
}

export interface CatalogState {
  byName: Map<string, CatalogStream>;
  byIncarnation: Map<string, CatalogStream>;
  writers: WriterSequences;
}

const FORMAT_VERSION = 1;

export const catalogMachine: JournalMachine<CatalogState> = {
  initial: () => stateOf([], new WriterSequences()),
  apply: (state, seq, bytes) => {
    const entry = decodeCatalogEntry(seq, bytes);
    state.writers.record(entry.writerId, entry.writerSequence);
    applyChange(state, entry.change);
    return state;
  },
  encodeCheckpoint: state => {
    const writers = [...state.writers.entries()];
    const checkpoint = { formatVersion: FORMAT_VERSION, streams: [...state.byName.values()], writers };
    return utf8(JSON.stringify({ ...checkpoint, writersForgotten: state.writers.forgotten } satisfies CatalogCheckpoint));
  },
  decodeCheckpoint: bytes => {
    const { streams, writers, writersForgotten } = parseVersioned<CatalogCheckpoint>(bytes, 'The catalog’s checkpoint');
    return stateOf(streams, WriterSequences.from(writers, writersForgotten));
  },
  settled: (state, writerId, writerSequence) => state.writers.settled(writerId, writerSequence),
};

export function encodeCatalogEntry(entry: Omit<CatalogEntry, 'formatVersion'>): Uint8Array {
  return utf8(JSON.stringify({ formatVersion: FORMAT_VERSION, ...entry }));
}

export function decodeCatalogEntry(seq: number, bytes: Uint8Array): CatalogEntry {
  return parseVersioned<CatalogEntry>(bytes, `Catalog entry ${seq}`);
}

/** Throws TW_DATA_DAMAGED or TW_FORMAT_TOO_NEW for what is no entry of the catalog. */
export function checkCatalogEntry(seq: number, bytes: Uint8Array): void {
  decodeCatalogEntry(seq, bytes);
}

function applyChange(state: CatalogState, change: CatalogChange): void {
  if (change.kind === 'created') {
    state.byName.set(change.stream.definition.name, change.stream);
    state.byIncarnation.set(change.stream.definition.incarnation, change.stream);
    return;
  }
  const stream = state.byIncarnation.get(change.incarnation);
  if (stream === undefined) return;
  state.byIncarnation.delete(change.incarnation);
  state.byName.delete(stream.definition.name);
}

function stateOf(streams: readonly CatalogStream[], writers: WriterSequences): CatalogState {
  return {
    byName: new Map(streams.map(stream => [stream.definition.name, stream])),
    byIncarnation: new Map(streams.map(stream => [stream.definition.incarnation, stream])),
    writers,
  };
}

function parseVersioned<T extends { formatVersion: number }>(bytes: Uint8Array, what: string): T {
  let parsed: T | null;
  try {
    parsed = JSON.parse(fromUtf8(bytes)) as T | null;
  } catch (cause) {
    throw new TailwaterError('TW_DATA_DAMAGED', { detail: `${what} is not JSON.`, cause });
  }
  const version = parsed?.formatVersion;
  if (parsed !== null && version === FORMAT_VERSION) return parsed;
  if (typeof version === 'number' && version > FORMAT_VERSION) {
    throw new TailwaterError('TW_FORMAT_TOO_NEW', {
      detail: `${what} has format ${version}; this version reads up to ${FORMAT_VERSION}.`,
      data: { found: version, supported: FORMAT_VERSION },
    });
  }
  throw new TailwaterError('TW_DATA_DAMAGED', { detail: `${what} has no format that ever was.` });
}
