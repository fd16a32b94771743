import { isTailwaterError } from '../../src/base/index.ts';
import type { AppendResult } from '../../src/ingest/index.ts';
import { encodeToken, type StreamDefinition } from '../../src/streams/index.ts';
import { ProcessDied } from './life.ts';
import type { Operation } from './plan.ts';
import { place } from './stream-model.ts';
import { must, Violation } from './violation.ts';
import { codeOf, describe, type World } from './world.ts';

type Append = Extract<Operation, { kind: 'append' }>;

const MAX_TRIES = 6;
const TIMEOUT_MS = 60_000;

interface Prepared {
  definition: StreamDefinition;
  records: object[];
  marks: string[];
  texts: (string | null)[];
  key: string | undefined;
}

/** A client that writes: once, or with an idempotency key again and again, anywhere, until it is told. */
export async function append(world: World, operation: Append): Promise<void> {
  const request = prepare(world, operation);
  const fate = { marks: request.marks, kind: 'failed' as 'acknowledged' | 'unknown' | 'failed' };
  world.fates.set(operation.id, fate);
  const tries = request.key === undefined ? 1 : MAX_TRIES;
  for (let attempt = 0; attempt < tries; attempt++) {
    if (attempt > 0) await world.clock.sleep(200 * 2 ** attempt);
    const node = world.pick(operation.node + attempt);
    if (node === null) continue;
    try {
      const { definition, records, key } = request;
      const options = key === undefined ? {} : { idempotencyKey: key };
      const work = node.life.ask(() => node.appender.append(definition, { records }, options));
      const result = await Promise.race([work, timeout(world)]);
      checkAnswer(world, operation, request, result);
      fate.kind = 'acknowledged';
      return;
    } catch (error) {
      world.note(`${operation.id} ${codeOf(error)}`);
      if (!settles(world, operation, request, error, fate.kind)) fate.kind = 'unknown';
    }
  }
}

async function timeout(world: World): Promise<never> {
  await world.clock.sleep(TIMEOUT_MS);
  throw new ProcessDied();
}

function prepare(world: World, operation: Append): Prepared {
  const definition = world.definition(operation.stream);
  const records: object[] = [];
  const marks: string[] = [];
  const texts: (string | null)[] = [];
  for (const [index, { key, value }] of operation.records.entries()) {
    const mark = `${operation.id}.${index}`;
    const marked = value === null ? null : { ...value, m: mark };
    records.push({ ...(key === null ? {} : { key }), value: marked, ...(marked === null ? { headers: { m: mark } } : {}) });
    marks.push(mark);
    texts.push(marked === null ? null : JSON.stringify(marked));
  }
  for (let bad = 0; bad < operation.bad; bad++) records.push({ value: { text: 'no key' } });
  return { definition, records, marks, texts, key: keyOf(world, operation) };
}

function keyOf(world: World, { id, idempotent, reuse }: Append): string | undefined {
  const earlier = reuse === null ? undefined : [...world.keys.keys()].at(-reuse);
  const key = earlier ?? (idempotent ? id : undefined);
  if (key !== undefined) world.keys.set(key, [...(world.keys.get(key) ?? []), id]);
  return key;
}

/** What was acknowledged is in the log, once, where the answer says, as it was sent. */
function checkAnswer(world: World, operation: Append, { definition, marks, texts, key }: Prepared, result: AppendResult): void {
  const { truth } = world;
  const [{ seq: segment }] = result.position.shards;
  const facts = (): object => ({ id: operation.id, key, segment, head: truth.head, result });
  must(segment <= truth.head, 'what is acknowledged is durable', facts);
  must(result.accepted === marks.length && result.rejected.length === operation.bad, 'an answer counts its records', facts);
  const places = new Set<string>();
  for (const [index, mark] of marks.entries()) {
    const found = truth.marks.get(mark);
    must(found !== undefined, 'what is acknowledged is in the log', () => ({ ...facts(), mark }));
    must(found.model.definition.incarnation === definition.incarnation, 'a record is in its stream', facts);
    must(found.record.segment === segment, 'an answer names the segment of its records', () => ({
      ...facts(),
      at: found.record.segment,
    }));
    must(found.record.text === texts[index], 'a record is what was sent', () => ({ ...facts(), text: found.record.text }));
    places.add(place(found.record));
  }
  const told = result.partitions.flatMap(({ partition, first, last }) =>
    Array.from({ length: last - first + 1 }, (_, index) => place({ partition, offset: first + index })),
  );
  must(told.length === places.size && told.every(at => places.has(at)), 'an answer names the offsets of its records', facts);
  const token = encodeToken(result.position);
  world.tokens.push({ stream: operation.stream, incarnation: definition.incarnation, token, segment });
  world.note(`${operation.id} acknowledged in ${segment}: ${told.join(' ')}`);
}

/** Whether the error says that nothing of this request was or will be written. */
function settles(world: World, { id, stream }: Append, { key, marks }: Prepared, error: unknown, before: string): boolean {
  if (error instanceof Violation) throw error;
  if (error instanceof ProcessDied || isTailwaterError(error, 'TW_OUTCOME_UNKNOWN')) return false;
  if (isTailwaterError(error, 'TW_IDEMPOTENCY_MISMATCH')) {
    const others = (world.keys.get(key ?? '') ?? []).filter(other => other !== id);
    const taken = others.some(other => world.fates.get(other)?.marks.some(mark => world.truth.marks.has(mark)));
    must(taken, 'a key is refused only when another request has it', () => ({ id, key }));
    must(!marks.some(mark => world.truth.marks.has(mark)), 'a refused request wrote nothing', () => ({ id, key }));
    return true;
  }
  const gone = world.recreated.has(world.plan.streams[stream].name) && isTailwaterError(error, 'TW_STREAM_NOT_FOUND');
  const passing = ['TW_STORAGE_UNAVAILABLE', 'TW_STORAGE_FULL', 'TW_SHARD_STOPPED', 'TW_CLOSED'] as const;
  must(gone || (isTailwaterError(error, ...passing) && !world.healed), 'an append succeeds or says why not', () =>
    describe(error),
  );
  return before !== 'unknown';
}
