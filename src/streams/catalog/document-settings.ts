import { isJsonObject } from '../../base/index.ts';
import type { ChunkSettings } from '../definition.ts';

export const CHUNK_DEFAULTS: ChunkSettings = { chunkTokens: 400, overlapTokens: 50 };
const MIN_CHUNK_TOKENS = 32;
const MAX_CHUNK_TOKENS = 8192;

/** Says what is wrong with the property `path`. */
type Refusal = (path: string, problem: string) => Error;

/** How documents are cut: what is given, and `defaults` for the rest. The overlap is at most half of a chunk. */
export function chunkSettings(given: unknown, defaults: ChunkSettings, refuse: Refusal): ChunkSettings {
  if (!isJsonObject(given)) throw refuse('documents', 'must be an object');
  const stranger = Object.keys(given).find(name => !Object.hasOwn(CHUNK_DEFAULTS, name));
  if (stranger !== undefined) {
    throw refuse('documents', `has the unknown property "${stranger.slice(0, 100)}"; known are chunkTokens, overlapTokens`);
  }
  const chunkTokens = given.chunkTokens ?? defaults.chunkTokens;
  if (!isIntegerWithin(chunkTokens, MIN_CHUNK_TOKENS, MAX_CHUNK_TOKENS)) {
    throw refuse('documents.chunkTokens', `must be an integer from ${MIN_CHUNK_TOKENS} to ${MAX_CHUNK_TOKENS}`);
  }
  const most = Math.floor(chunkTokens / 2);
  const overlapTokens = given.overlapTokens ?? Math.min(defaults.overlapTokens, most);
  if (!isIntegerWithin(overlapTokens, 0, most)) {
    throw refuse('documents.overlapTokens', `must be an integer from 0 to ${most}, half of chunkTokens`);
  }
  return { chunkTokens, overlapTokens };
}

interface Facts {
  kind: string;
  key: unknown;
  schema: unknown;
  retentionMs: number | null;
  retentionBytes?: number;
  ttl?: object;
  documents?: ChunkSettings;
}

/** A document lives and dies as a whole: its chunks have keys that are made for them, and none expires before the others. */
export function requireDocumentStream(facts: Facts, refuse: Refusal): void {
  if (facts.documents === undefined) return;
  if (facts.kind !== 'upsert') throw refuse('documents', 'needs a stream of kind "upsert"');
  if (facts.key !== null) throw refuse('key', 'must not be given with `documents`: their chunks get keys of their own');
  if (facts.schema !== null) throw refuse('schema', 'must not be given with `documents`: their rows have a shape of their own');
  if (facts.ttl !== undefined) throw refuse('ttl', 'must not be given with `documents`: chunks would expire one by one');
  if (facts.retentionMs !== null || facts.retentionBytes !== undefined) {
    throw refuse('retention', 'must not be given with `documents`: chunks would expire one by one');
  }
}

function isIntegerWithin(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}
