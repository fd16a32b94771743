import { Redis, type RedisOptions } from 'ioredis';
import type { Clock, Logger, Timer } from '../../../base/index.ts';

export interface RedisSettings {
  /** `redis://` or `rediss://`, with user, password and database where there are any. */
  url: string;
  /** What the deployment's names in Redis begin with: deployments that share a server have different ones. */
  prefix: string;
}

const CONNECT_TIMEOUT_MS = 2000;
const COMMAND_TIMEOUT_MS = 2000;
const MAX_RECONNECT_DELAY_MS = 2000;
const PING_EVERY_MS = 2000;
/**
 * The connection of a node to Redis: found again for ever, never waited for. Commands fail at once while it is down, so that nothing gathers
 * in memory. A server that is there but silent counts as down after two seconds.
 */
export class RedisLink {
  readonly prefix: string;
  /** For commands that do not block. */
  readonly client: Redis;
  readonly #url: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #others: Redis[] = [];
  readonly #downListeners = new Set<() => void>();
  readonly #counts = { drops: 0, errors: 0 };
  #timer: Timer | null = null;
  #isReady = false;
  #closed = false;

  constructor({ url, prefix }: RedisSettings, clock: Clock, logger: Logger) {
    this.prefix = prefix;
    this.#url = url;
    this.#clock = clock;
    this.#logger = logger;
    this.client = this.#connect({ enableOfflineQueue: false, commandTimeout: COMMAND_TIMEOUT_MS });
    this.client.on('ready', () => this.#up());
    this.client.on('close', () => this.#down());
    this.#pingLater();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  stats(): Record<string, number> {
    return { up: this.#isReady ? 1 : 0, ...this.#counts };
  }

  /** Another connection, closed with the link: one that blocks, or only listens. Commands wait for Redis to come back. */
  open(options: RedisOptions = {}): Redis {
    const other = this.#connect(options);
    this.#others.push(other);
    return other;
  }

  /** Calls back when Redis is lost. Returns how to stop. */
  onDown(listener: () => void): () => void {
    this.#downListeners.add(listener);
    return () => this.#downListeners.delete(listener);
  }

  failed(error: unknown): void {
    this.#counts.errors++;
    this.#logger.debug({ reason: String(error) }, 'Redis');
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const connection of [this.client, ...this.#others]) connection.disconnect();
  }

  #connect(options: RedisOptions): Redis {
    const all: Omit<RedisOptions, 'replyMapping'> = {
      connectTimeout: CONNECT_TIMEOUT_MS,
      // BullMQ asks for it; what must not wait has a timeout instead.
      maxRetriesPerRequest: null,
      retryStrategy: (attempts: number) => Math.min(attempts * 100, MAX_RECONNECT_DELAY_MS),
      ...options,
    };
    const connection = new Redis(this.#url, all);
    connection.on('error', error => this.failed(error));
    return connection;
  }

  #up(): void {
    this.#isReady = true;
    this.#logger.info({}, 'Redis is there');
  }

  #down(): void {
    if (!this.#isReady) return;
    this.#isReady = false;
    if (this.#closed) return;
    this.#counts.drops++;
    this.#logger.warn({}, 'Redis is gone: this node polls, and compacts what it finds due, until it is back');
    for (const listener of this.#downListeners) listener();
  }

  #pingLater(): void {
    this.#timer = this.#clock.after(PING_EVERY_MS, async () => {
      if (this.#isReady) await this.client.ping().catch(() => this.#silent());
      if (!this.#closed) this.#pingLater();
    });
  }

  /** A connection over a cut network looks alive for minutes. */
  #silent(): void {
    if (this.#closed) return;
    this.#down();
    for (const connection of [this.client, ...this.#others]) connection.disconnect(true);
  }
}
