import { isTailwaterError } from '../base/index.ts';
import type { RecordKeeper } from '../features/index.ts';
import { type Catalog, decodeToken, type StreamDefinition } from '../streams/index.ts';
import type { Tagging } from './tagging.ts';

export interface RecordKeeperParts {
  find(stream: string): Promise<StreamDefinition>;
  catalog: Catalog;
  /** Asked for when it is needed: it is made later. */
  tagging(): Tagging;
}

/** Keeps the records of datasets by tags of their streams. */
export function recordKeeper({ find, catalog, tagging }: RecordKeeperParts): RecordKeeper {
  return {
    async keep(stream, tag) {
      const definition = await find(stream);
      try {
        const { token } = await tagging().create(definition, tag, undefined);
        const { incarnation, heads } = decodeToken(token).streams[0];
        return { incarnation, heads, tag };
      } catch (error) {
        // Without a record there is no table.
        if (!isTailwaterError(error, 'TW_NOT_TAGGABLE')) throw error;
        return { incarnation: definition.incarnation, heads: new Array<number>(definition.partitions).fill(-1) };
      }
    },

    async release(stream, { incarnation, tag }) {
      const definition = catalog.get(stream);
      if (tag === undefined || definition?.incarnation !== incarnation) return;
      await tagging()
        .delete(definition, tag)
        .catch(error => {
          if (!isTailwaterError(error, 'TW_TAG_NOT_FOUND')) throw error;
        });
    },
  };
}
