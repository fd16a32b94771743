import { createHash } from 'node:crypto';
import type { JsonObject, JsonValue } from '../base/index.ts';
import type { StreamSettings } from '../streams/index.ts';

export const MEMORIES = 'memories';
const FIELDS = ['text'];
export const MEMORY_SETTINGS: StreamSettings = {
  kind: 'upsert',
  key: 'id',
  search: { fields: FIELDS },
  embed: { fields: FIELDS },
};

export interface MemoryInput {
  /** A sentence that stands alone. */
  text: string;
  /** Whom or what it is about, such as a user's id. */
  subject?: string;
  /** The conversation that it comes from. */
  session?: string;
  /** Of the subject: what is remembered under the same key replaces it. Default: the same text is kept once. */
  key?: string;
  /** More fields, to filter by. */
  attributes?: JsonObject;
}

/** What is remembered, with how it was found. */
export interface Memory {
  id: string;
  text: string;
  subject: string | null;
  session: string | null;
  key: string | null;
  attributes: JsonObject;
  /** Since its event time, milliseconds. */
  ageMs: number;
  /** Of this answer only; 0 without a query. */
  score: number;
  tier: 'tail' | 'table';
}

const OWN_FIELDS = ['id', 'text', 'subject', 'session', 'key'];

/** The row of a memory. Its id is of subject and key, else of subject and text: saying it again changes nothing. */
export function memoryRow({ text, subject, session, key, attributes = {} }: MemoryInput): { id: string; value: JsonObject } {
  const id = key === undefined ? textId(text, subject) : keyId(key, subject);
  const given: [string, JsonValue | undefined][] = [
    ['subject', subject],
    ['session', session],
    ['key', key],
  ];
  const own = Object.fromEntries(given.filter((each): each is [string, JsonValue] => each[1] !== undefined));
  return { id, value: { ...attributes, ...own, text, id } };
}

export function keyId(key: string, subject: string | undefined): string {
  return `${encoded(subject ?? '')}/${encoded(key)}`;
}

function textId(text: string, subject: string | undefined): string {
  const said = JSON.stringify([subject ?? null, text]);
  return createHash('sha256').update(said).digest('hex').slice(0, 32);
}

export function memoryOf(hit: { value: JsonObject; id: string; ageMs: number; score: number; tier: 'tail' | 'table' }): Memory {
  const { value, id, ageMs, score, tier } = hit;
  const textOf = (field: string): string | null => (typeof value[field] === 'string' ? value[field] : null);
  const attributes = Object.fromEntries(Object.entries(value).filter(([name]) => !OWN_FIELDS.includes(name)));
  const named = { subject: textOf('subject'), session: textOf('session'), key: textOf('key') };
  return { id, text: textOf('text') ?? '', ...named, attributes, ageMs: Math.round(ageMs), score, tier };
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
