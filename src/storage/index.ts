export type { FileSystem, OpenFile } from './file-system.ts';
export type {
  ByteRange,
  ListedObject,
  ListOptions,
  ObjectStore,
  PutCondition,
  PutOutcome,
  StoredObject,
} from './object-store.ts';
