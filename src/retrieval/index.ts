export type { QueryRequest, SearchAnswer, SearchHit, SearchMode } from './query-types.ts';
