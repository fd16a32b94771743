import { TailwaterError } from '../../base/index.ts';

/** One live follow, as the server sees it when it stops. */
export interface Follower {
  /** Sends the final event and closes. */
  end(): void;
}

/** All live follows of a server: bounded in number, and ended together when it stops. */
export class Followers {
  readonly #maxFollowers: number;
  readonly #followers = new Set<Follower>();
  #stalled = 0;

  constructor(maxFollowers: number) {
    this.#maxFollowers = maxFollowers;
  }

  add(follower: Follower): void {
    if (this.#followers.size >= this.#maxFollowers) {
      throw new TailwaterError('TW_BUSY', {
        detail: `${this.#followers.size} live follows are open, the most allowed.`,
        retryAfterMs: 5000,
      });
    }
    this.#followers.add(follower);
  }

  delete(follower: Follower): void {
    this.#followers.delete(follower);
  }

  countStalled(): void {
    this.#stalled++;
  }

  endAll(): void {
    for (const follower of this.#followers) follower.end();
  }

  stats(): { followers: number; stalled: number } {
    return { followers: this.#followers.size, stalled: this.#stalled };
  }
}
