import type { Redis } from 'ioredis';
import { isJsonObject } from '../../../base/index.ts';
import type { Hint, Hints } from '../hints.ts';
import type { RedisLink } from './redis-link.ts';

/** Hints by pub/sub on the channel `<prefix>:hints`. What cannot be sent at once is dropped. */
export class RedisHints implements Hints {
  readonly #link: RedisLink;
  readonly #node: string;
  readonly #channel: string;
  readonly #subscriber: Redis;
  readonly #listeners = new Set<(hint: Hint) => void>();
  /** By shard: the newest entry that was spoken of. Every node applies every entry, and only the first need tell. */
  readonly #spokenOf = new Map<number, number>();
  readonly #counts = { sent: 0, dropped: 0, received: 0 };

  /** `node`: unlike any other's; a node does not hear itself. */
  constructor(link: RedisLink, node: string) {
    this.#link = link;
    this.#node = node;
    this.#channel = `${link.prefix}:hints`;
    this.#subscriber = link.open();
    this.#subscriber.on('message', (_channel, message) => this.#receive(message));
    this.#subscriber.subscribe(this.#channel).catch(error => link.failed(error));
  }

  publish(hint: Hint): void {
    if (hint.kind === 'segment') {
      if (hint.seq <= (this.#spokenOf.get(hint.shard) ?? -1)) return;
      this.#spokenOf.set(hint.shard, hint.seq);
    }
    if (!this.#link.isReady) {
      this.#counts.dropped++;
      return;
    }
    this.#counts.sent++;
    this.#link.client
      .publish(this.#channel, JSON.stringify({ node: this.#node, ...hint }))
      .catch(error => this.#link.failed(error));
  }

  subscribe(listener: (hint: Hint) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stats(): Record<string, number> {
    return { ...this.#counts };
  }

  #receive(message: string): void {
    const heard = parseHint(message);
    if (heard === null || heard.node === this.#node) return;
    this.#counts.received++;
    const { hint } = heard;
    for (const listener of this.#listeners) listener(hint);
  }
}

/** Anyone can write to a channel: what is no hint is null. */
export function parseHint(message: string): { node: string; hint: Hint } | null {
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    return null;
  }
  if (!isJsonObject(value) || typeof value.node !== 'string') return null;
  const { node, kind, shard, seq, incarnation } = value;
  if (kind === 'catalog') return { node, hint: { kind } };
  if (kind === 'table' && typeof incarnation === 'string') return { node, hint: { kind, incarnation } };
  if (kind === 'segment' && isCount(shard) && isCount(seq)) return { node, hint: { kind, shard, seq } };
  return null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
