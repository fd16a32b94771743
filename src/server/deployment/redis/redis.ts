import { type Clock, type Logger, type Random, randomId } from '../../../base/index.ts';
import type { RunJob, SharedQueue } from '../../compactions.ts';
import { LocalRates } from '../../limits/local-rates.ts';
import { SharedRates } from '../../limits/shared-rates.ts';
import type { ComponentStats } from '../../metrics.ts';
import { BullQueue } from './bull-queue.ts';
import { RedisHints } from './redis-hints.ts';
import { RedisLink, type RedisSettings } from './redis-link.ts';
import { RedisRates } from './redis-rates.ts';

/** All that a node has of Redis. Opening does not wait for it, and nothing here fails because it is not there. */
export class NodeRedis {
  readonly hints: RedisHints;
  readonly rates: SharedRates;
  readonly #link: RedisLink;
  readonly #clock: Clock;
  #queue: SharedQueue | null = null;

  constructor(settings: RedisSettings, parts: { clock: Clock; random: Random; logger: Logger }) {
    this.#clock = parts.clock;
    this.#link = new RedisLink(settings, parts.clock, parts.logger);
    this.hints = new RedisHints(this.#link, randomId(parts.random));
    const own = new LocalRates(parts.clock);
    this.rates = new SharedRates({ own, remote: new RedisRates(this.#link), clock: parts.clock, logger: parts.logger });
  }

  openQueue(run: RunJob): SharedQueue {
    this.#queue = new BullQueue({ link: this.#link, clock: this.#clock, run });
    return this.#queue;
  }

  warnings(): string[] {
    if (this.#link.isReady) return [];
    return [
      'Redis cannot be reached: this node sees by polling what others do, nodes compact by leases, and rate limits are those of each node.',
    ];
  }

  stats(): ComponentStats[] {
    const queue = this.#queue === null ? [] : [{ component: 'compaction_queue', stats: this.#queue.stats() }];
    return [...queue, { component: 'redis', stats: this.#link.stats() }, { component: 'redis_hints', stats: this.hints.stats() }];
  }

  close(): void {
    this.#link.close();
  }
}
