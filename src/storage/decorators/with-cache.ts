import type { ObjectCache } from '../cache/object-cache.ts';
import type { ObjectStore } from '../object-store.ts';

/**
 * Serves objects that never change from a cache, and keeps there what is read or created. `isImmutable` must hold only for keys that are
 * created once, with put-if-absent, and whose readers can do with an object that was deleted since: they ask for the floor after it. Foreign objects
 * below such keys are not kept: they may change.
 */
export function withCache(store: ObjectStore, cache: ObjectCache, isImmutable: (key: string) => boolean): ObjectStore {
  return {
    put: async (key, bytes, condition) => {
      const outcome = await store.put(key, bytes, condition);
      // The buffer is the caller's, who may use it again.
      if (outcome.kind === 'ok' && isImmutable(key)) cache.add(key, bytes.slice());
      return outcome;
    },
    get: async (key, options) => {
      if (!isImmutable(key) || options?.foreign !== undefined) return store.get(key, options);
      const range = options?.range;
      const kept = range === undefined ? await cache.read(key) : await cache.readRange(key, range.start, range.end);
      if (kept !== null) return { bytes: kept, etag: '' };
      const found = await store.get(key, options);
      if (found !== null && range === undefined) cache.add(key, found.bytes);
      return found;
    },
    head: key => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    delete: async keys => {
      await store.delete(keys);
      await cache.remove(keys.filter(isImmutable));
    },
  };
}
