import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { listAll, listNames, type ObjectStore } from '../../storage/index.ts';

/** Where LanceDB keeps the tables of stream lives. */
export interface LancePlace {
  uri(incarnation: string): string;
  /** How LanceDB gets to it: address, region, credentials. */
  storageOptions?: Readonly<Record<string, string>>;
  incarnations(): Promise<string[]>;
  remove(incarnation: string): Promise<void>;
}

export function folderPlace(root: string): LancePlace {
  return {
    uri: incarnation => join(root, incarnation),
    remove: incarnation => rm(join(root, incarnation), { recursive: true, force: true }),
    incarnations: async () => {
      try {
        const entries = await readdir(root, { withFileTypes: true });
        return entries.filter(entry => entry.isDirectory()).map(entry => entry.name);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
        throw error;
      }
    },
  };
}

/** Below `<address>/<prefix>`, which LanceDB reads and writes by its own S3 client; what it does not do goes through `store`. */
export function objectPlace(options: {
  store: ObjectStore;
  prefix: string;
  /** Of the store, such as `s3://bucket/prefix`. */
  address: string;
  storageOptions: Readonly<Record<string, string>>;
}): LancePlace {
  const { store, prefix, address, storageOptions } = options;
  return {
    uri: incarnation => `${address}/${prefix}/${incarnation}`,
    storageOptions,
    incarnations: async () => {
      const names: string[] = [];
      for await (const name of listNames(store, `${prefix}/`)) names.push(name);
      return names;
    },
    remove: async incarnation => {
      let keys: string[] = [];
      for await (const { key } of listAll(store, `${prefix}/${incarnation}/`)) {
        if (keys.push(key) < 1000) continue;
        await store.delete(keys);
        keys = [];
      }
      if (keys.length > 0) await store.delete(keys);
    },
  };
}
