import type { TableState } from '../../src/lakehouse/index.ts';
import type { ObjectStore, PutCondition, PutOutcome } from '../../src/storage/index.ts';

/** A table state with nothing in it, for tests that care about a few of its fields. */
export function emptyState(changes: Partial<TableState> & { n: number }): TableState {
  return {
    formatVersion: 1,
    kind: 'compaction',
    attemptId: `attempt-${changes.n}`,
    format: 'lance',
    incarnation: 'life',
    location: 'tables/life',
    rowsVersion: 1,
    changesVersion: null,
    schema: { id: 1, columns: [], dimensions: null, text: false },
    watermark: [-1],
    logSeq: 0,
    logTimeMs: 0,
    rowCount: 0,
    changeCount: 0,
    rowsHash: '0000000000000000',
    changesHash: '0000000000000000',
    expiredHash: '0000000000000000',
    statistics: [],
    nullVectors: 0,
    rawCount: 0,
    indexedRows: { text: 0, vector: 0 },
    embedding: null,
    committedAtMs: 0,
    summary: {},
    ...changes,
  };
}

/** What happens to a conditional put: it works, it works and its reply is lost, or it is lost on the way. */
export type PutFate = 'works' | 'reply-lost' | 'request-lost';

/** Lets `fateOf` decide about every conditional put; reads always work. */
export function withPutFates(store: ObjectStore, fateOf: (key: string) => PutFate): ObjectStore {
  return {
    get: (key, options) => store.get(key, options),
    head: key => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    delete: keys => store.delete(keys),
    async put(key: string, bytes: Uint8Array, condition?: PutCondition): Promise<PutOutcome> {
      const fate = condition === undefined ? 'works' : fateOf(key);
      if (fate === 'request-lost') return { kind: 'unknown', cause: 'request lost' };
      const outcome = await store.put(key, bytes, condition);
      return fate === 'reply-lost' ? { kind: 'unknown', cause: 'reply lost' } : outcome;
    },
  };
}
