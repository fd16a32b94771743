import { equalBytes, isTailwaterError, type Random, randomId, TailwaterError, utf8 } from '../base/index.ts';
import type { ObjectStore, PutCondition, PutOutcome } from './object-store.ts';

const RACERS = 8;
/** A store that checks first and writes later, without a lock, does not lose every race. */
const ROUNDS = 3;
const PROBE_FOLDER = 'probe';

/**
 * Races conditional puts against each other and throws TW_STORE_UNSAFE when the store does not decide them (S4): several S3 look-alikes accept
 * the headers and ignore them, which silently loses data. Leaves nothing behind. Throws TW_STORAGE_UNAVAILABLE when the store does not answer.
 */
export async function probeConditionalPuts(store: ObjectStore, random: Random): Promise<void> {
  const run = randomId(random);
  for (let round = 1; round <= ROUNDS; round++) await probeOnce(store, `${PROBE_FOLDER}/${run}-${round}`);
}

async function probeOnce(store: ObjectStore, key: string): Promise<void> {
  try {
    await refused(
      store,
      key,
      { ifMatch: await anEtag(store, `${key}-other`) },
      'mismatch',
      'replaced an object that does not exist',
    );
    const created = await race(store, key, { ifAbsent: true }, 'created');
    await refused(store, key, { ifAbsent: true }, 'exists', 'created an object that exists');
    await race(store, key, { ifMatch: created }, 'replaced');
    await refused(store, key, { ifMatch: created }, 'mismatch', 'replaced an object that had changed');
  } finally {
    await store.delete([key, `${key}-other`]).catch(() => {});
  }
}

/** Of the racers at most one may win; the object must hold what the winner wrote. Returns its etag. */
async function race(store: ObjectStore, key: string, condition: PutCondition, deed: string): Promise<string> {
  const contents = Array.from({ length: RACERS }, (_, racer) => utf8(`${key} ${deed} by racer ${racer}`));
  const outcomes = await Promise.all(contents.map(content => attempt(store, key, content, condition)));
  const winners = outcomes.flatMap((outcome, racer) => (outcome.kind === 'ok' ? [racer] : []));
  if (winners.length > 1)
    throw unsafe(`${winners.length} of ${RACERS} racing writers were told that they ${deed} the same object`);
  const stored = await store.get(key);
  const author = contents.findIndex(content => stored !== null && equalBytes(stored.bytes, content));
  if (stored === null || author < 0) {
    throw new TailwaterError('TW_STORAGE_UNAVAILABLE', { detail: `None of ${RACERS} racing writers ${deed} the probe object.` });
  }
  if (winners.length === 1 && winners[0] !== author) throw unsafe('the object does not hold what the winning writer wrote');
  if (outcomes[author].kind === 'exists' || outcomes[author].kind === 'mismatch') {
    throw unsafe('the object holds what a writer wrote that was refused');
  }
  return stored.etag;
}

async function refused(
  store: ObjectStore,
  key: string,
  condition: PutCondition,
  expected: 'exists' | 'mismatch',
  deed: string,
): Promise<void> {
  const outcome = await attempt(store, key, utf8('probe'), condition);
  if (outcome.kind === 'ok') throw unsafe(`a writer ${deed}`);
  if (outcome.kind === 'unknown') {
    throw new TailwaterError('TW_STORAGE_UNAVAILABLE', {
      detail: 'The probe of the object store got no answer.',
      cause: outcome.cause,
    });
  }
  if (outcome.kind !== expected) throw unsafe(`it answered "${outcome.kind}" where "${expected}" is right`);
}

async function anEtag(store: ObjectStore, key: string): Promise<string> {
  const outcome = await store.put(key, utf8('other'));
  if (outcome.kind === 'ok') return outcome.etag;
  throw new TailwaterError('TW_STORAGE_UNAVAILABLE', {
    detail: 'The probe of the object store could not write its first object.',
  });
}

/** A racer that is turned away for now ("conflict, try again") neither won nor lost. */
async function attempt(store: ObjectStore, key: string, bytes: Uint8Array, condition: PutCondition): Promise<PutOutcome> {
  try {
    return await store.put(key, bytes, condition);
  } catch (error) {
    if (isTailwaterError(error, 'TW_STORAGE_UNAVAILABLE')) return { kind: 'unknown', cause: error };
    throw error;
  }
}

function unsafe(what: string): TailwaterError {
  return new TailwaterError('TW_STORE_UNSAFE', { detail: `The object store does not keep write conditions: ${what}.` });
}
