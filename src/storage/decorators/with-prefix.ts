import { checkKey, checkPrefix } from '../keys.ts';
import type { ObjectStore } from '../object-store.ts';

/** The part of a store below `prefix` (a key without a slash at its end), as a store of its own. */
export function withPrefix(store: ObjectStore, prefix: string): ObjectStore {
  checkKey(prefix);
  const base = `${prefix}/`;
  const full = (key: string): string => {
    checkKey(key);
    return base + key;
  };
  return {
    put: async (key, bytes, condition) => store.put(full(key), bytes, condition),
    get: async (key, options) => store.get(full(key), options),
    head: async key => store.head(full(key)),
    delete: async keys => store.delete(keys.map(full)),
    list: async (inner, options) => {
      checkPrefix(inner);
      const after = options?.startAfter === undefined ? {} : { startAfter: base + options.startAfter };
      const page = await store.list(base + inner, { ...options, ...after });
      return page.map(({ key, size }) => ({ key: key.slice(base.length), size }));
    },
  };
}
