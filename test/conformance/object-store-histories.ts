import fc from 'fast-check';
import { expect } from 'vitest';
import { utf8 } from '../../src/base/index.ts';
import type { ObjectStore, PutOutcome } from '../../src/storage/index.ts';

/** The model: a map, with the etag of each object and the one before it. */
type Model = Map<string, { content: string; etag: string; earlier: string }>;

interface Write {
  call: 'put' | 'create' | 'replace' | 'replace-stale';
  key: string;
  content: string;
}

interface Listing {
  call: 'list';
  prefix: string;
  startAfter: string;
  limit: number;
}

type Call = Write | Listing | { call: 'delete' | 'get'; key: string };

const NO_ETAG = '"0123456789abcdef0123456789abcdef"';
const key = fc.constantFrom('a/1', 'a/2', 'a/B', 'b/é', 'c');
const anyCall: fc.Arbitrary<Call> = fc.oneof(
  fc.record({
    call: fc.constantFrom('put' as const, 'create' as const, 'replace' as const, 'replace-stale' as const),
    key,
    content: fc.string({ maxLength: 12, unit: 'binary' }),
  }),
  fc.record({ call: fc.constantFrom('delete' as const, 'get' as const), key }),
  fc.record({
    call: fc.constant('list' as const),
    prefix: fc.constantFrom('', 'a/', 'a', 'b/'),
    startAfter: key,
    limit: fc.integer({ min: 1, max: 4 }),
  }),
);

/** Any history of calls, made in turn through two handles on the same objects, answers as the model says. */
export async function checkHistories(
  create: () => Promise<{ store: ObjectStore; other: ObjectStore; close?(): Promise<void> }>,
  runs: number,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(anyCall, { maxLength: 25 }), async calls => {
      const fixture = await create();
      try {
        const model: Model = new Map();
        for (const [step, call] of calls.entries()) await checkCall(step % 2 === 0 ? fixture.store : fixture.other, model, call);
      } finally {
        await fixture.close?.();
      }
    }),
    { numRuns: runs },
  );
}

export function textOf(found: { bytes: Uint8Array } | null): string | null {
  return found === null ? null : Buffer.from(found.bytes).toString();
}

/** The independent oracle of key order. */
export function byBytes(keys: readonly string[]): string[] {
  return [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

async function checkCall(store: ObjectStore, model: Model, call: Call): Promise<void> {
  if (call.call === 'list') await checkListing(store, model, call);
  else if ('content' in call) await checkWrite(store, model, call);
  else if (call.call === 'get') {
    expect(textOf(await store.get(call.key))).toBe(model.get(call.key)?.content ?? null);
    expect((await store.head(call.key))?.etag).toBe(model.get(call.key)?.etag);
  } else {
    await store.delete([call.key]);
    model.delete(call.key);
  }
}

async function checkListing(store: ObjectStore, model: Model, call: Listing): Promise<void> {
  const after = Buffer.from(call.startAfter);
  const keys = byBytes([...model.keys()]).filter(
    found => found.startsWith(call.prefix) && Buffer.compare(Buffer.from(found), after) > 0,
  );
  const page = await store.list(call.prefix, { startAfter: call.startAfter, limit: call.limit });
  const expected = keys.slice(0, call.limit).map(found => ({ key: found, size: Buffer.byteLength(model.get(found)!.content) }));
  expect(page).toEqual(expected);
}

async function checkWrite(store: ObjectStore, model: Model, { call, key, content }: Write): Promise<void> {
  const held = model.get(key);
  const etag = (call === 'replace' ? held?.etag : held?.earlier) ?? NO_ETAG;
  const outcome = await send(store, call, key, content, etag);
  expect(outcome.kind).toBe(expectedOutcome(call, held?.etag, etag));
  if (outcome.kind === 'ok') model.set(key, { content, etag: outcome.etag, earlier: held?.etag ?? NO_ETAG });
}

function send(store: ObjectStore, call: Write['call'], key: string, content: string, etag: string): Promise<PutOutcome> {
  if (call === 'put') return store.put(key, utf8(content));
  return store.put(key, utf8(content), call === 'create' ? { ifAbsent: true } : { ifMatch: etag });
}

/** An etag may say what the content is: equal content may then have an equal etag, and the replacement is right. */
function expectedOutcome(call: Write['call'], current: string | undefined, etag: string): PutOutcome['kind'] {
  if (call === 'put') return 'ok';
  if (call === 'create') return current === undefined ? 'ok' : 'exists';
  return etag === current ? 'ok' : 'mismatch';
}
