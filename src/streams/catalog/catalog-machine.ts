import { fromUtf8, isJsonObject, TailwaterError, utf8 } from '../../base/index.ts';
import type { JournalMachine } from '../../journal/index.ts';
import type { StreamDefinition, TableDefinition } from '../definition.ts';
import { WriterSequences } from '../wal/writers.ts';

/** A stream of the catalog: its definition and the log shard that holds all of it. */
export interface CatalogStream {
  definition: StreamDefinition;
  shard: number;
}

export type CatalogChange =
  | { kind: 'created'; stream: CatalogStream }
  | { kind: 'deleted'; incarnation: string }
  | { kind: 'changed'; definition: StreamDefinition };

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
    const { streams, writers, writersForgotten } = parseVersioned(bytes, 'The catalog’s checkpoint', isCheckpoint);
    return stateOf(streams, WriterSequences.from(writers, writersForgotten));
  },
  settled: (state, writerId, writerSequence) => state.writers.settled(writerId, writerSequence),
};

export function encodeCatalogEntry(entry: Omit<CatalogEntry, 'formatVersion'>): Uint8Array {
  return utf8(JSON.stringify({ formatVersion: FORMAT_VERSION, ...entry }));
}

export function decodeCatalogEntry(seq: number, bytes: Uint8Array): CatalogEntry {
  return parseVersioned(bytes, `Catalog entry ${seq}`, isEntry);
}

/** Throws TW_DATA_DAMAGED or TW_FORMAT_TOO_NEW for what is no entry of the catalog. */
export function checkCatalogEntry(seq: number, bytes: Uint8Array): void {
  decodeCatalogEntry(seq, bytes);
}

function applyChange(state: CatalogState, change: CatalogChange): void {
  if (change.kind === 'created') {
    const stream = withFormat(change.stream);
    state.byName.set(stream.definition.name, stream);
    state.byIncarnation.set(stream.definition.incarnation, stream);
    return;
  }
  const incarnation = change.kind === 'deleted' ? change.incarnation : change.definition.incarnation;
  const stream = state.byIncarnation.get(incarnation);
  if (stream === undefined) return;
  if (change.kind === 'changed') {
    applyChange(state, { kind: 'created', stream: { ...stream, definition: change.definition } });
    return;
  }
  state.byIncarnation.delete(change.incarnation);
  state.byName.delete(stream.definition.name);
}

/** Definitions that do not name the format of their table are from when there was one. */
function withFormat(stream: CatalogStream): CatalogStream {
  const { definition } = stream;
  const table: TableDefinition | undefined = definition.table;
  return table === undefined ? { ...stream, definition: { ...definition, table: { format: 'lance' } } } : stream;
}

function stateOf(written: readonly CatalogStream[], writers: WriterSequences): CatalogState {
  const streams = written.map(withFormat);
  return {
    byName: new Map(streams.map(stream => [stream.definition.name, stream])),
    byIncarnation: new Map(streams.map(stream => [stream.definition.incarnation, stream])),
    writers,
  };
}

function isEntry(value: unknown): value is CatalogEntry {
  if (!isJsonObject(value) || typeof value.writerId !== 'string' || !Number.isSafeInteger(value.writerSequence)) return false;
  const { change } = value;
  if (!isJsonObject(change)) return false;
  if (change.kind === 'changed') return isDefinition(change.definition);
  return change.kind === 'created'
    ? isStream(change.stream)
    : change.kind === 'deleted' && typeof change.incarnation === 'string';
}

function isCheckpoint(value: unknown): value is CatalogCheckpoint {
  if (!isJsonObject(value) || typeof value.writersForgotten !== 'boolean') return false;
  const { streams, writers } = value;
  return Array.isArray(streams) && streams.every(isStream) && Array.isArray(writers) && writers.every(isWriter);
}

function isStream(value: unknown): boolean {
  return isJsonObject(value) && isDefinition(value.definition) && Number.isSafeInteger(value.shard);
}

function isDefinition(value: unknown): boolean {
  return isJsonObject(value) && typeof value.name === 'string' && typeof value.incarnation === 'string';
}

function isWriter(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === 'string' && Number.isSafeInteger(value[1]);
}

function parseVersioned<T>(bytes: Uint8Array, what: string, isWhole: (parsed: unknown) => parsed is T): T {
  let parsed: unknown;
  try {
    parsed = JSON.parse(fromUtf8(bytes));
  } catch (cause) {
    throw new TailwaterError('TW_DATA_DAMAGED', { detail: `${what} is not JSON.`, cause });
  }
  const version = isJsonObject(parsed) ? parsed.formatVersion : undefined;
  if (version === FORMAT_VERSION && isWhole(parsed)) return parsed;
  if (typeof version === 'number' && version > FORMAT_VERSION) {
    throw new TailwaterError('TW_FORMAT_TOO_NEW', {
      detail: `${what} has format ${version}; this version reads up to ${FORMAT_VERSION}.`,
      data: { found: version, supported: FORMAT_VERSION },
    });
  }
  throw new TailwaterError('TW_DATA_DAMAGED', { detail: `${what} has no form that ever was.` });
}
