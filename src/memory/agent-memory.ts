import { isTailwaterError, type JsonObject, type Random, randomUuid, systemRandom, TailwaterError } from '../base/index.ts';
import type { AppendAnswer, AppendRecord, QueryAnswer, StepAnswer, StepRequest, TailwaterApi } from '../server/index.ts';
import type { StreamSettings } from '../streams/index.ts';
import { keyId, MEMORIES, MEMORY_SETTINGS, type Memory, type MemoryInput, memoryOf, memoryRow } from './memory-rows.ts';
import { type RecallRequest, recall } from './recall.ts';

const TURNS = 'turns';
const TURN_SETTINGS: StreamSettings = { kind: 'upsert', key: 'id', search: { fields: ['text'] } };
const MAX_PAGE = 1000;

export interface AgentMemoryConfig {
  /** A `TailwaterClient` or an embedded `Tailwater`. */
  api: Pick<TailwaterApi, 'append' | 'createStream' | 'getStream' | 'query' | 'step'>;
  /** Streams, made at the first use when they are not there; default `memories` and `turns`. */
  streams?: { memories?: string; turns?: string };
  random?: Random;
}

/** What was said in a session. */
export interface Turn {
  session: string;
  /** Who spoke, such as `user`, `assistant` or `tool`. */
  role: string;
  text: string;
  subject?: string;
  /** Said again with the same id it is the same turn; default: a turn of its own. */
  id?: string;
}

export interface RecallAnswer {
  memories: Memory[];
  /** Null while nothing was ever remembered. */
  freshness: QueryAnswer['freshness'] | null;
  /** `consistency: {asOf: token}` recalls the same again. */
  token: string | null;
}

/** Exactly one of: a memory by key (of a subject), all of a subject, all of a session. */
export type ForgetRequest = { key: string; subject?: string } | { subject: string } | { session: string };

export interface MemoryStepRequest extends StepRequest {
  memories?: readonly MemoryInput[];
  turns?: readonly Turn[];
}

/**
 * What an agent keeps: facts, found by meaning and age, and the turns of its sessions. Durable when a call returns, and in the next answer. Rows of
 * ordinary streams: contexts, SQL and the tools `remember` and `recall` read the same.
 */
export class AgentMemory {
  readonly #config: AgentMemoryConfig;
  readonly #memories: string;
  readonly #turns: string;
  readonly #ready = new Map<string, Promise<void>>();

  constructor(config: AgentMemoryConfig) {
    this.#config = config;
    this.#memories = config.streams?.memories ?? MEMORIES;
    this.#turns = config.streams?.turns ?? TURNS;
  }

  /** Keeps a fact; what it replaces is what has its key and subject, or says the same of the same subject. */
  async remember(memory: MemoryInput): Promise<{ id: string; token: string }> {
    const { id, value } = memoryRow(memory);
    const { token } = await this.#append(this.#memories, [{ value }]);
    return { id, token };
  }

  /** Best first with a `query`, else newest first. */
  async recall(request: RecallRequest = {}): Promise<RecallAnswer> {
    const answer = await recall(this.#config.api, this.#memories, request);
    if (answer === null) return { memories: [], freshness: null, token: null };
    return { memories: answer.hits.map(memoryOf), freshness: answer.freshness, token: answer.token };
  }

  async say(...turns: readonly Turn[]): Promise<{ token: string }> {
    return this.#append(this.#turns, this.#turnRecords(turns));
  }

  /** The newest turns of a session (default 100, at most 1000), in the order in which they were acknowledged. */
  async turns(session: string, limit = 100): Promise<(Turn & { id: string; ageMs: number })[]> {
    const answer = await recall(this.#config.api, this.#turns, { session, limit });
    const turns = (answer?.hits ?? []).map(({ value, ageMs }) => ({ ...(value as unknown as Turn & { id: string }), ageMs }));
    return turns.reverse();
  }

  /** Deletes what there is of it at the call: memories and turns. Returns how many rows. Their past is kept as long as the streams' `history`. */
  async forget(what: ForgetRequest): Promise<{ forgotten: number }> {
    if ('key' in what) return { forgotten: await this.#delete(this.#memories, { id: keyId(what.key, what.subject) }) };
    const filter: JsonObject = 'session' in what ? { session: what.session } : { subject: what.subject };
    if (Object.values(filter).some(value => typeof value !== 'string')) {
      throw new TailwaterError('TW_BAD_REQUEST', { detail: 'Say what to forget: a `key`, a `subject` or a `session`.' });
    }
    const counts = [await this.#delete(this.#memories, filter), await this.#delete(this.#turns, filter)];
    return { forgotten: counts[0] + counts[1] };
  }

  /**
   * A step of an agent: the input is acknowledged, and outputs, memories and turns are written, in one commit and exactly once. To be repeated
   * as it is when its outcome is not known. Throws what `step` of the engine throws.
   */
  async step({ memories = [], turns = [], outputs = [], ...request }: MemoryStepRequest): Promise<StepAnswer> {
    const all = [...outputs];
    const add = async (stream: string, records: AppendRecord[]): Promise<void> => {
      if (records.length === 0) return;
      await this.#open(stream);
      all.push({ stream, records });
    };
    await add(
      this.#memories,
      memories.map(memory => ({ value: memoryRow(memory).value })),
    );
    await add(this.#turns, this.#turnRecords(turns));
    return this.#config.api.step({ ...request, outputs: all });
  }

  #turnRecords(turns: readonly Turn[]): AppendRecord[] {
    const { random = systemRandom } = this.#config;
    return turns.map(turn => ({ value: { id: randomUuid(random), ...turn } }));
  }

  async #append(stream: string, records: readonly AppendRecord[]): Promise<AppendAnswer> {
    await this.#open(stream);
    const answer = await this.#config.api.append(stream, records);
    if (answer.rejected.length === 0) return answer;
    const [{ index, code, message }] = answer.rejected;
    throw new TailwaterError('TW_SCHEMA_MISMATCH', {
      detail: `Record ${index} was rejected (${code}): ${message}`,
      data: { code },
    });
  }

  async #delete(stream: string, filter: JsonObject): Promise<number> {
    let deleted = 0;
    for (;;) {
      const answer = await recall(this.#config.api, stream, { filter, limit: MAX_PAGE });
      const hits = answer?.hits ?? [];
      if (hits.length === 0) return deleted;
      await this.#append(
        stream,
        hits.map(({ id }) => ({ key: id, value: null })),
      );
      deleted += hits.length;
      if (hits.length < MAX_PAGE) return deleted;
    }
  }

  #open(stream: string): Promise<void> {
    const known = this.#ready.get(stream) ?? this.#make(stream);
    this.#ready.set(stream, known);
    known.catch(() => this.#ready.delete(stream));
    return known;
  }

  /** One that is there with other settings stays as it is. */
  async #make(stream: string): Promise<void> {
    const { api } = this.#config;
    try {
      await api.getStream(stream);
    } catch (error) {
      if (!isTailwaterError(error, 'TW_STREAM_NOT_FOUND')) throw error;
      const settings = stream === this.#turns ? TURN_SETTINGS : MEMORY_SETTINGS;
      await api.createStream(stream, settings).catch(cause => {
        if (!isTailwaterError(cause, 'TW_STREAM_EXISTS')) throw cause;
      });
    }
  }
}
