import type { ListedObject, ObjectStore } from './object-store.ts';

/** Every object whose key begins with the prefix, in the order of keys, a page at a time. */
export async function* listAll(store: ObjectStore, prefix: string): AsyncGenerator<ListedObject> {
  let startAfter: string | null = null;
  for (;;) {
    const page: ListedObject[] = await store.list(prefix, startAfter === null ? {} : { startAfter });
    if (page.length === 0) return;
    yield* page;
    startAfter = page[page.length - 1].key;
  }
}

/** The names that follow the prefix, which ends with a slash, up to their next slash: one request each, however much is below them. */
export async function* listNames(store: ObjectStore, prefix: string): AsyncGenerator<string> {
  let startAfter: string | null = null;
  for (;;) {
    const [found]: ListedObject[] = await store.list(prefix, startAfter === null ? { limit: 1 } : { limit: 1, startAfter });
    if (found === undefined) return;
    const [name] = found.key.slice(prefix.length).split('/');
    yield name;
    // '0' comes right after '/': the next key is not below this name.
    startAfter = `${prefix}${name}0`;
  }
}
