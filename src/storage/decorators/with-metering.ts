import type { ObjectStore, PutOutcome } from '../object-store.ts';
import { PART_BYTES } from '../s3/parts.ts';

export const OPERATIONS = ['put', 'get', 'head', 'list', 'delete'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** US dollars per 1,000 requests of each operation. */
export type RequestPrices = Readonly<Record<Operation, number>>;

/** What AWS lists for S3 Standard in us-east-1; deletions are free. Bytes within a region are free too. */
export const AWS_REQUEST_PRICES: RequestPrices = { put: 0.005, get: 0.0004, head: 0.0004, list: 0.005, delete: 0 };

export interface MeteredRequests {
  component: string;
  operation: Operation;
  requests: number;
  bytesWritten: number;
  bytesRead: number;
}

/** Counts what an object store is asked for, by component and operation; each count only rises. */
export class RequestMeter {
  readonly #componentOf: (key: string) => string;
  readonly #counts = new Map<string, MeteredRequests>();

  constructor(componentOf: (key: string) => string) {
    this.#componentOf = componentOf;
  }

  /** The requests that `store` sends are counted: put it below retries and caches. A large object is read by a request per part. */
  wrap(store: ObjectStore): ObjectStore {
    return {
      put: async (key, bytes, condition): Promise<PutOutcome> => {
        const counts = this.#count(key, 'put', 1);
        const outcome = await store.put(key, bytes, condition);
        if (outcome.kind === 'ok') counts.bytesWritten += bytes.length;
        return outcome;
      },
      get: async (key, options) => {
        const counts = this.#count(key, 'get', 1);
        const found = await store.get(key, options);
        counts.bytesRead += found?.bytes.length ?? 0;
        if (options?.range === undefined && found !== null)
          counts.requests += Math.max(0, Math.ceil(found.bytes.length / PART_BYTES) - 1);
        return found;
      },
      head: key => {
        this.#count(key, 'head', 1);
        return store.head(key);
      },
      list: (prefix, options) => {
        this.#count(prefix, 'list', 1);
        return store.list(prefix, options);
      },
      delete: keys => {
        if (keys.length > 0) this.#count(keys[0], 'delete', 1);
        return store.delete(keys);
      },
    };
  }

  /** What was counted elsewhere. */
  add(counts: readonly MeteredRequests[]): void {
    for (const { component, operation, requests, bytesWritten, bytesRead } of counts) {
      const sum = this.#countOf(component, operation);
      sum.requests += requests;
      sum.bytesWritten += bytesWritten;
      sum.bytesRead += bytesRead;
    }
  }

  counts(): MeteredRequests[] {
    return [...this.#counts.values()].map(each => ({ ...each }));
  }

  #count(key: string, operation: Operation, requests: number): MeteredRequests {
    const counts = this.#countOf(this.#componentOf(key), operation);
    counts.requests += requests;
    return counts;
  }

  #countOf(component: string, operation: Operation): MeteredRequests {
    const name = `${component}/${operation}`;
    let counts = this.#counts.get(name);
    if (counts === undefined) {
      counts = { component, operation, requests: 0, bytesWritten: 0, bytesRead: 0 };
      this.#counts.set(name, counts);
    }
    return counts;
  }
}

/** What the counted requests cost, in US dollars, by component. */
export function costByComponent(counts: readonly MeteredRequests[], prices: RequestPrices): Map<string, number> {
  const costs = new Map<string, number>();
  for (const { component, operation, requests } of counts) {
    costs.set(component, (costs.get(component) ?? 0) + (requests / 1000) * prices[operation]);
  }
  return costs;
}
