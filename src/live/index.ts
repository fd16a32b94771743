export type { Difference } from './difference.ts';
export { LIVE_DEFAULTS, LiveAnswers, type LiveSettings } from './live-answers.ts';
export { type LiveAnswer, LiveQueries, type LiveQueryRequest, openLive, requireNow } from './live-queries.ts';
export type { MatchRequest } from './record-matcher.ts';
export { type OpenMatches, StandingQueries } from './standing-queries.ts';
