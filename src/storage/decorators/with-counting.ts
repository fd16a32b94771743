import type { ObjectStore } from '../object-store.ts';

const OPERATIONS = ['puts', 'gets', 'heads', 'lists', 'deletes'] as const;
const OUTCOMES = ['exists', 'mismatch', 'unknown', 'errors'] as const;
const VOLUMES = ['bytesWritten', 'bytesRead'] as const;
type Counter = (typeof OPERATIONS)[number] | (typeof OUTCOMES)[number] | (typeof VOLUMES)[number];

/** Counts calls, put outcomes other than ok, errors and bytes of content; each counter only rises. */
export function withCounting(store: ObjectStore): { store: ObjectStore; stats(): Record<string, number> } {
  const counters = Object.fromEntries([...OPERATIONS, ...OUTCOMES, ...VOLUMES].map(name => [name, 0])) as Record<Counter, number>;
  const count = async <T>(operation: Counter, work: Promise<T>): Promise<T> => {
    counters[operation]++;
    try {
      return await work;
    } catch (error) {
      counters.errors++;
      throw error;
    }
  };
  const counted: ObjectStore = {
    put: async (key, bytes, condition) => {
      const outcome = await count('puts', store.put(key, bytes, condition));
      if (outcome.kind === 'ok') counters.bytesWritten += bytes.length;
      else counters[outcome.kind]++;
      return outcome;
    },
    get: async (key, options) => {
      const found = await count('gets', store.get(key, options));
      counters.bytesRead += found?.bytes.length ?? 0;
      return found;
    },
    head: key => count('heads', store.head(key)),
    list: (prefix, options) => count('lists', store.list(prefix, options)),
    delete: keys => count('deletes', store.delete(keys)),
  };
  return { store: counted, stats: () => ({ ...counters }) };
}
