import { type ListKeyOptions, RecordManager, type UpdateOptions } from '@langchain/core/indexing';
import { type Clock, type JsonObject, systemClock, TailwaterError } from '../../base/index.ts';
import type { TailwaterApi } from '../../server/index.ts';
import { appendAll, deleteRows, ensureStream, rowsOf, scanValues } from '../rows/index.ts';

export interface TailwaterRecordManagerConfig {
  client: TailwaterApi;
  /** An upsert stream; made by `createSchema` when it is not there. */
  stream: string;
  /** Keeps several indexes apart in one stream. */
  namespace: string;
  clock?: Clock;
}

/** Declared, so that the columns are there before the first record. */
const SCHEMA = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    namespace: { type: 'string' },
    key: { type: 'string' },
    group: { type: ['string', 'null'] },
    updatedAt: { type: 'number' },
  },
};

/** What LangChain's indexing API remembers of the documents it has written: key, source (group) and time. */
export class TailwaterRecordManager extends RecordManager {
  override lc_namespace = ['tailwater', 'indexing'];
  readonly #config: TailwaterRecordManagerConfig;

  constructor(config: TailwaterRecordManagerConfig) {
    super({ stream: config.stream, namespace: config.namespace });
    this.#config = config;
  }

  override createSchema(): Promise<void> {
    const { client, stream } = this.#config;
    return ensureStream(client, stream, () => ({ kind: 'upsert', key: 'id', schema: SCHEMA }));
  }

  /** Milliseconds. */
  override async getTime(): Promise<number> {
    return (this.#config.clock ?? systemClock).nowMs();
  }

  override async update(keys: string[], { groupIds, timeAtLeast }: UpdateOptions = {}): Promise<void> {
    if (groupIds !== undefined && groupIds.length !== keys.length)
      throw bad(`There are ${keys.length} keys and ${groupIds.length} group ids.`);
    const updatedAt = await this.getTime();
    if (timeAtLeast !== undefined && updatedAt < timeAtLeast)
      throw bad(`The time is ${updatedAt}, and it must be at least ${timeAtLeast}: a clock went back.`);
    const { client, stream, namespace } = this.#config;
    const records = keys.map((key, index) => ({
      value: { id: this.#idOf(key), namespace, key, group: groupIds?.[index] ?? null, updatedAt },
    }));
    await appendAll(client, stream, records);
  }

  override async exists(keys: string[]): Promise<boolean[]> {
    const { client, stream } = this.#config;
    return (await rowsOf(client, stream, keys.map(this.#idOf))).map(row => row !== null);
  }

  override async listKeys({ before, after, groupIds, limit = Number.POSITIVE_INFINITY }: ListKeyOptions = {}): Promise<string[]> {
    const { client, stream, namespace } = this.#config;
    const bounds = { ...(before !== undefined && { $lt: before }), ...(after !== undefined && { $gt: after }) };
    const filter: JsonObject = { namespace, ...(Object.keys(bounds).length > 0 && { updatedAt: bounds }) };
    const keys: string[] = [];
    if (limit <= 0) return keys;
    for await (const { key, group } of scanValues(client, stream, { columns: ['key', 'group'], filter })) {
      if (groupIds !== undefined && !groupIds.includes((group as string | null | undefined) ?? null)) continue;
      keys.push(key as string);
      if (keys.length >= limit) break;
    }
    return keys;
  }

  override deleteKeys(keys: string[]): Promise<void> {
    return deleteRows(this.#config.client, this.#config.stream, keys.map(this.#idOf));
  }

  readonly #idOf = (key: string): string => JSON.stringify([this.#config.namespace, key]);
}

function bad(detail: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail });
}
