export type { Consistency, Freshness, LiveRecord, ReadFrom, StreamPage } from './snapshot-types.ts';
