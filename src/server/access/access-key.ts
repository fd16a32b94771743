import { createHash, timingSafeEqual } from 'node:crypto';
import { type Random, randomId } from '../../base/index.ts';

/** What a key may do: ask; write records; define, change and delete everything. None includes another. */
export const SCOPES = ['read', 'write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

export interface AccessKeyInfo {
  id: string;
  /** What it is for. */
  name: string;
  scopes: Scope[];
  /** Beginnings of the names of the only streams that it may touch; null: everything. */
  streams: string[] | null;
  createdAt: string;
  /** Null: never. */
  expiresAt: string | null;
}

/** A key as it is made: `key` is not kept and never shown again. */
export interface NewAccessKey extends AccessKeyInfo {
  key: string;
}

export interface AccessKeyInput {
  name: string;
  /** Default: read. */
  scopes?: Scope[];
  streams?: string[];
  expiresAt?: string;
}

const TEXT = /^tw_([0-9a-hjkmnp-tv-z]{16})_([\w-]{43})$/;
const SECRET_BYTES = 32;

/** `tw_<id>_<secret>`: the id finds it, the secret has 256 bits, so that one round of SHA-256 keeps it. */
export function makeKey(random: Random): { id: string; text: string } {
  const id = randomId(random);
  return { id, text: `tw_${id}_${Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url')}` };
}

/** The id in the text of a key; null: it is none. */
export function idOfKey(text: string): string | null {
  return TEXT.exec(text)?.[1] ?? null;
}

export function hashOfKey(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** In a time that does not depend on where they differ. */
export function isKeyOf(hash: string, text: string): boolean {
  const [known, given] = [Buffer.from(hash, 'hex'), Buffer.from(hashOfKey(text), 'hex')];
  return known.length === given.length && timingSafeEqual(known, given);
}
