import { isJsonObject, type JsonObject, type JsonValue, TailwaterError } from '../base/index.ts';
import { decodeToken, type Position } from '../streams/index.ts';
import type { Consistency } from './snapshot-types.ts';

/** A consistency demand, checked and decoded. */
export type Demand =
  | { kind: 'at-least'; position: Position }
  | { kind: 'strong' }
  | { kind: 'max-staleness'; maxStalenessMs: number }
  | { kind: 'as-of-position'; position: Position }
  | { kind: 'as-of-time'; timeMs: number }
  | { kind: 'as-of-tag'; tag: string };

const MEMBERS = ['atLeast', 'strong', 'maxStalenessMs', 'asOf'] as const;
const MAX_TOKENS = 100;
const TAG = 'tag:';
const ISO_TIME = /^\d{4}-\d\d-\d\d(T|$)/;

/** Pure. Throws TW_BAD_REQUEST or TW_BAD_TOKEN; `fallback` is for requests that demand nothing. */
export function parseConsistency(consistency: Consistency | undefined, fallback: Demand): Demand {
  if (consistency === undefined) return fallback;
  if (!isJsonObject(consistency)) throw badConsistency('it must be an object');
  const given = Object.keys(consistency).filter(name => consistency[name as keyof Consistency] !== undefined);
  const unknown = given.find(name => !MEMBERS.includes(name as (typeof MEMBERS)[number]));
  if (unknown !== undefined) throw badConsistency(`it has no member "${unknown}"; it may have one of ${MEMBERS.join(', ')}`);
  if (given.length > 1) throw badConsistency(`give only one of ${given.join(', ')}`);
  if (given.length === 0) return fallback;
  return parseMember(consistency);
}

function parseMember(consistency: Consistency): Demand {
  if (consistency.atLeast !== undefined) {
    return { kind: 'at-least', position: latest(tokensOf(consistency.atLeast).map(decodeToken)) };
  }
  if (consistency.maxStalenessMs !== undefined) {
    const maxStalenessMs = consistency.maxStalenessMs;
    if (!Number.isFinite(maxStalenessMs) || maxStalenessMs < 0) throw badConsistency('maxStalenessMs must be a number >= 0');
    return { kind: 'max-staleness', maxStalenessMs };
  }
  if (consistency.asOf !== undefined) return parseAsOf(consistency.asOf);
  if (consistency.strong !== true) throw badConsistency('strong must be true');
  return { kind: 'strong' };
}

function tokensOf(given: string | string[]): string[] {
  if (!Array.isArray(given)) return [text('atLeast', given)];
  if (given.length === 0 || given.length > MAX_TOKENS) throw badConsistency(`atLeast must be a token, or 1 to ${MAX_TOKENS}`);
  return given.map(token => text('atLeast', token));
}

/** Per shard, what is furthest: it is after all the others. */
function latest(positions: Position[]): Position {
  const seqs = new Map<number, number>();
  for (const { shard, seq } of positions.flatMap(position => position.shards))
    seqs.set(shard, Math.max(seq, seqs.get(shard) ?? seq));
  return {
    shards: Array.from(seqs, ([shard, seq]) => ({ shard, seq })),
    streams: positions.flatMap(position => position.streams),
  };
}

function parseAsOf(given: NonNullable<Consistency['asOf']>): Demand {
  const asOf = isJsonObject(given) ? TAG + tagOf(given) : text('asOf', given);
  if (asOf.startsWith(TAG)) return { kind: 'as-of-tag', tag: asOf.slice(TAG.length) };
  if (!ISO_TIME.test(asOf)) return { kind: 'as-of-position', position: decodeToken(asOf) };
  const timeMs = Date.parse(asOf);
  if (Number.isNaN(timeMs)) throw badConsistency(`asOf "${asOf}" is not an ISO 8601 time`);
  return { kind: 'as-of-time', timeMs };
}

function tagOf(asOf: JsonObject): string {
  const { tag, ...others } = asOf;
  if (typeof tag === 'string' && Object.keys(others).length === 0) return tag;
  throw badConsistency('asOf must be a token, a time or {"tag": name}');
}

function text(member: string, value: JsonValue): string {
  if (typeof value !== 'string') throw badConsistency(`${member} must be a text`);
  return value;
}

function badConsistency(why: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail: `The consistency is not valid: ${why}.` });
}
