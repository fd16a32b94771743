export { ObjectCache, type ObjectCacheOptions } from './cache/object-cache.ts';
export { withCache } from './decorators/with-cache.ts';
export { withCounting } from './decorators/with-counting.ts';
export {
  AWS_REQUEST_PRICES,
  costByComponent,
  type MeteredRequests,
  RequestMeter,
  type RequestPrices,
} from './decorators/with-metering.ts';
export { withPrefix } from './decorators/with-prefix.ts';
export { withRetries } from './decorators/with-retries.ts';
export { storageError } from './file/fault.ts';
export { FileObjectStore } from './file/file-object-store.ts';
export { makeFolderDurably } from './file/make-folder.ts';
export type { FileSystem, OpenFile } from './file-system.ts';
export { listAll, listNames } from './listing.ts';
export { MemoryObjectStore } from './memory/memory-object-store.ts';
export { nodeFileSystem } from './node-file-system.ts';
export type {
  GetOptions,
  ListedObject,
  ListOptions,
  ObjectFacts,
  ObjectStore,
  PutCondition,
  PutOutcome,
  StoredObject,
} from './object-store.ts';
export { probeConditionalPuts } from './probe.ts';
export { createS3Store, type S3Settings } from './s3/create-s3-store.ts';
export { type Encryption, S3ObjectStore } from './s3/s3-object-store.ts';
export { VersionedDocument } from './versioned-document.ts';
