import { BaseListChatMessageHistory } from '@langchain/core/chat_history';
import {
  type BaseMessage,
  mapChatMessagesToStoredMessages,
  mapStoredMessagesToChatMessages,
  type StoredMessage,
} from '@langchain/core/messages';
import { type JsonValue, type Random, randomUuid, systemRandom } from '../../base/index.ts';
import type { TailwaterApi } from '../../server/index.ts';
import { appendAll, deleteRows, ensureStream } from '../rows/index.ts';

export interface TailwaterChatHistoryConfig {
  client: TailwaterApi;
  /** An upsert stream that many sessions share; made at the first use when it is not there. */
  stream: string;
  session: string;
  /** The newest so many messages are returned; 1 to 1000, default 1000. */
  maxMessages?: number;
  random?: Random;
}

const MAX_MESSAGES = 1000;

/** A session's messages in the order in which they were acknowledged. What one `addMessages` adds appears together. */
export class TailwaterChatMessageHistory extends BaseListChatMessageHistory {
  lc_namespace = ['tailwater', 'chat_history'];
  readonly #config: TailwaterChatHistoryConfig;
  #ready: Promise<void> | null = null;

  constructor(config: TailwaterChatHistoryConfig) {
    super({ stream: config.stream, session: config.session });
    this.#config = config;
  }

  override async getMessages(): Promise<BaseMessage[]> {
    const hits = await this.#newest(this.#config.maxMessages ?? MAX_MESSAGES);
    const stored = hits.map(({ value }) => value.message as unknown as StoredMessage);
    return mapStoredMessagesToChatMessages(stored.reverse());
  }

  override addMessage(message: BaseMessage): Promise<void> {
    return this.addMessages([message]);
  }

  override async addMessages(messages: BaseMessage[]): Promise<void> {
    await this.#open();
    const { client, stream, session, random = systemRandom } = this.#config;
    const records = mapChatMessagesToStoredMessages(messages).map(message => ({
      value: { id: randomUuid(random), session, message: message as unknown as JsonValue },
    }));
    await appendAll(client, stream, records);
  }

  /** Deletes this session's messages, all that there are at the call. */
  override async clear(): Promise<void> {
    for (;;) {
      const hits = await this.#newest(MAX_MESSAGES);
      const ids = hits.map(({ id }) => id);
      await deleteRows(this.#config.client, this.#config.stream, ids);
      if (hits.length < MAX_MESSAGES) return;
    }
  }

  /** Newest first. */
  async #newest(limit: number) {
    await this.#open();
    const { client, stream, session } = this.#config;
    return (await client.query(stream, { mode: 'filter', filter: { session }, limit })).hits;
  }

  #open(): Promise<void> {
    const { client, stream } = this.#config;
    this.#ready ??= ensureStream(client, stream, () => ({ kind: 'upsert', key: 'id' }));
    this.#ready.catch(() => {
      this.#ready = null;
    });
    return this.#ready;
  }
}
