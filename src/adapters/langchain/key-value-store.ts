import { BaseStore } from '@langchain/core/stores';
import { isJsonObject, type JsonValue } from '../../base/index.ts';
import type { TailwaterApi } from '../../server/index.ts';
import { appendAll, deleteRows, ensureStream, rowsOf, scanValues } from '../rows/index.ts';

export interface TailwaterStoreConfig {
  client: TailwaterApi;
  /** An upsert stream; made at the first use when it is not there. */
  stream: string;
}

/**
 * LangChain's key-value store over an upsert stream of {key, value}. Values are JSON or bytes; what one `mset` writes becomes visible
 * together while it fits one segment, and a key's last value wins.
 */
export class TailwaterStore<V extends JsonValue | Uint8Array = JsonValue> extends BaseStore<string, V> {
  lc_namespace = ['tailwater', 'stores'];
  readonly #config: TailwaterStoreConfig;
  #ready: Promise<void> | null = null;

  constructor(config: TailwaterStoreConfig) {
    super({ stream: config.stream });
    this.#config = config;
  }

  override async mget(keys: string[]): Promise<(V | undefined)[]> {
    await this.#open();
    const rows = await rowsOf(this.#config.client, this.#config.stream, keys);
    return rows.map(row => (row === null ? undefined : (unpack((row.record.value as { value: JsonValue }).value) as V)));
  }

  override async mset(pairs: [string, V][]): Promise<void> {
    await this.#open();
    const records = pairs.map(([key, value]) => ({ key, value: { key, value: pack(value) } }));
    await appendAll(this.#config.client, this.#config.stream, records);
  }

  override async mdelete(keys: string[]): Promise<void> {
    await this.#open();
    await deleteRows(this.#config.client, this.#config.stream, keys);
  }

  /** All keys at one instant, those written first first. */
  override async *yieldKeys(prefix = ''): AsyncGenerator<string> {
    await this.#open();
    const { client, stream } = this.#config;
    for await (const { _key_text: key } of scanValues(client, stream, { columns: ['_key_text'] })) {
      if (typeof key === 'string' && key.startsWith(prefix)) yield key;
    }
  }

  #open(): Promise<void> {
    const { client, stream } = this.#config;
    this.#ready ??= ensureStream(client, stream, () => ({ kind: 'upsert', key: 'key' }));
    this.#ready.catch(() => {
      this.#ready = null;
    });
    return this.#ready;
  }
}

const BYTES = '$bytes';

/** Bytes as {"$bytes": base64}, which no value of a user is mistaken for: one that looks so is wrapped. */
function pack(value: JsonValue | Uint8Array): JsonValue {
  if (value instanceof Uint8Array) return { [BYTES]: Buffer.from(value).toString('base64') };
  return isJsonObject(value) && BYTES in value ? { [BYTES]: value } : value;
}

function unpack(stored: JsonValue): JsonValue | Uint8Array {
  if (!isJsonObject(stored) || !(BYTES in stored)) return stored;
  const inner = stored[BYTES];
  return typeof inner === 'string' && Object.keys(stored).length === 1 ? new Uint8Array(Buffer.from(inner, 'base64')) : inner;
}
