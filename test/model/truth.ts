import { fromUtf8 } from '../../src/base/index.ts';
import type { Outcome } from './actor.ts';
import type { Contents } from './interned.ts';
import { decodeEntry, type Ledger } from './ledger.ts';
import { type Objects, PREFIX, type Request } from './objects.ts';

export class Violation extends Error {
  override readonly name = 'Violation';
}

/** What has been committed and what clients were told, at one instant; never changed. */
export interface Truth {
  /** The ids of entries 1, 2, 3, … A create counts at the instant it takes effect at or above the floor; below the floor it never does (J4). */
  committed: readonly string[];
  /** Their contents. */
  contents: readonly number[];
  /** Which attempts of their clients they are. */
  attempts: readonly string[];
  /** In order of their names. */
  acknowledged: readonly string[];
  /** Attempts that were reported as certainly not committed. */
  failed: readonly string[];
}

export const NOTHING: Truth = { committed: [], contents: [], attempts: [], acknowledged: [], failed: [] };

const NAME_DIGITS = 20;

/** The truth after a put takes effect. Throws when the put must not have happened. Judges by the objects alone; shares no code with what it judges. */
export function afterPut(truth: Truth, objects: Objects, put: Extract<Request, { kind: 'put' }>, contents: Contents): Truth {
  const bytes = contents.bytes(put.content);
  if (put.key.startsWith(`${PREFIX}/entries/`)) return afterCreate(truth, objects, seqOf(put.key), put.content, contents);
  if (put.key.startsWith(`${PREFIX}/checkpoints/`)) {
    const seq = seqOf(put.key);
    requirePrefix(truth, `J6: checkpoint ${seq}`, (JSON.parse(fromUtf8(bytes)) as Ledger).ids, seq);
    return truth;
  }
  const floor = floorOf(objects, contents);
  const to = floorIn(bytes);
  if (to < floor) throw new Violation(`J6: the floor fell from ${floor} to ${to}.`);
  return truth;
}

function afterCreate(truth: Truth, objects: Objects, seq: number, content: number, contents: Contents): Truth {
  if (seq < floorOf(objects, contents)) return truth;
  const { committed } = truth;
  const { id, sequence, builtOn } = decodeEntry(contents.bytes(content));
  if (seq <= committed.length) throw new Violation(`J4: entry ${seq} was created a second time, at or above the floor.`);
  if (seq > committed.length + 1) throw new Violation(`J1: entry ${seq} was created on top of entry ${committed.length}.`);
  if (committed.includes(id)) throw new Violation(`J2: ${id} was committed again, as entry ${seq}.`);
  if (builtOn.join() !== committed.join()) {
    throw new Violation(`J3: entry ${seq} was admitted on ${listed(builtOn)}, not on ${listed(committed)}.`);
  }
  const attempts = [...truth.attempts, attemptOf(id, sequence)];
  return { ...truth, committed: [...committed, id], contents: [...truth.contents, content], attempts };
}

/** The truth after a process did something. Throws when what it did contradicts it. `before`: acknowledged before the client's read began. */
export function afterOutcome(truth: Truth, who: string, outcome: Outcome, before: readonly string[]): Truth {
  switch (outcome.kind) {
    case 'broken':
      throw new Violation(`${who}: ${outcome.reason}`);
    case 'holds':
      requirePrefix(truth, who, outcome.ids, outcome.seq);
      return truth;
    case 'read': {
      const missing = before.filter(id => !outcome.ids.includes(id));
      if (missing.length === 0) return truth;
      throw new Violation(`J5: ${who} read ${listed(outcome.ids)}; ${missing.join()} had been acknowledged before.`);
    }
    default:
      return afterTold(truth, outcome);
  }
}

function afterTold(truth: Truth, { id, sequence, what }: Extract<Outcome, { kind: 'told' }>): Truth {
  if (what === 'unknown') return truth;
  if (what === 'failed') return { ...truth, failed: [...truth.failed, attemptOf(id, sequence)].sort() };
  if (!truth.committed.includes(id)) throw new Violation(`J4: ${id} was acknowledged, and is not committed.`);
  return { ...truth, acknowledged: [...truth.acknowledged, id].sort() };
}

function attemptOf(id: string, sequence: number): string {
  return `${id}, attempt ${sequence}`;
}

/** The store at any instant: a reader that starts now can find all that was committed, and no failure has come true. */
export function requireSound(truth: Truth, objects: Objects, contents: Contents): void {
  const floor = floorOf(objects, contents);
  const checkpoint = newestCheckpoint(objects);
  if (floor > checkpoint + 1) throw new Violation(`J6: the floor is ${floor}, the newest checkpoint ${checkpoint}.`);
  for (let seq = floor; seq <= truth.committed.length; seq++) {
    const content = objects.get(`${PREFIX}/entries/${nameOf(seq)}`);
    if (content === null) throw new Violation(`J4: entry ${seq} is gone; the floor is ${floor}.`);
    if (content !== truth.contents[seq - 1]) throw new Violation(`J1: entry ${seq} is not what was committed.`);
  }
  const cameTrue = truth.failed.find(attempt => truth.attempts.includes(attempt));
  if (cameTrue !== undefined) throw new Violation(`J2: ${cameTrue} was reported as failed, and is committed.`);
}

/** What a replica that was opened now from scratch must hold. */
export function requireComplete(truth: Truth, ids: readonly string[]): void {
  if (ids.join() === truth.committed.join()) return;
  throw new Violation(`J5: a new reader finds ${listed(ids)}; ${listed(truth.committed)} is committed.`);
}

export function isAtOrAboveFloor(key: string, objects: Objects, contents: Contents): boolean {
  return seqOf(key) >= floorOf(objects, contents);
}

export function nameOf(seq: number): string {
  return String(seq).padStart(NAME_DIGITS, '0');
}

/** A state after `seq` entries is exactly these entries. */
function requirePrefix(truth: Truth, who: string, ids: readonly string[], seq: number): void {
  const expected = truth.committed.slice(0, seq);
  if (seq > truth.committed.length) throw new Violation(`${who} is at entry ${seq}; the head is ${truth.committed.length}.`);
  if (ids.join() !== expected.join()) throw new Violation(`${who} holds ${listed(ids)}, not ${listed(expected)}.`);
}

function floorOf(objects: Objects, contents: Contents): number {
  const content = objects.get(`${PREFIX}/floor`);
  return content === null ? 1 : floorIn(contents.bytes(content));
}

function newestCheckpoint(objects: Objects): number {
  const newest = objects.keys(`${PREFIX}/checkpoints/`).at(-1);
  return newest === undefined ? 0 : seqOf(newest);
}

function floorIn(bytes: Uint8Array): number {
  return (JSON.parse(fromUtf8(bytes)) as { floor: number }).floor;
}

function seqOf(key: string): number {
  return Number(key.slice(-NAME_DIGITS));
}

function listed(ids: readonly string[]): string {
  return `[${ids.join(', ')}]`;
}
