export { hitId } from './hit-id.ts';
export { planSearch, type SearchPlan } from './plan.ts';
export type { QueryRequest, SearchAnswer, SearchHit, SearchMode } from './query-types.ts';
export { Searcher } from './search.ts';
export type { HitSource } from './sources.ts';
