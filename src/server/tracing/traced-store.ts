import type { ObjectStore } from '../../storage/index.ts';
import { inSpan } from './span.ts';

/** Every call of an object store as a span: put it above retries and below caches, so that a span is what someone waited for. */
export function tracedStore(store: ObjectStore): ObjectStore {
  const span = <T>(operation: string, key: string, run: () => Promise<T>): Promise<T> =>
    inSpan(`object_store.${operation}`, { 'tailwater.object_key': key }, run);
  return {
    put: (key, bytes, condition) => span('put', key, () => store.put(key, bytes, condition)),
    get: (key, options) => span('get', key, () => store.get(key, options)),
    head: key => span('head', key, () => store.head(key)),
    list: (prefix, options) => span('list', prefix, () => store.list(prefix, options)),
    delete: keys => span('delete', keys[0] ?? '', () => store.delete(keys)),
  };
}
