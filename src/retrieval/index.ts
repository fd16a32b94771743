export type { QueryRequest, SearchAnswer, SearchHit, SearchMode } from './query-types.ts';
export { Searcher } from './search.ts';
