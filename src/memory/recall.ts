import { isTailwaterError, type JsonObject, type JsonValue } from '../base/index.ts';
import type { QueryAnswer, TailwaterApi } from '../server/index.ts';

const DEFAULT_LIMIT = 10;
/** What was learned a month ago counts half as much of its share as what was learned now. */
const DEFAULT_RECENCY = { halfLifeMs: 30 * 24 * 3_600_000, weight: 0.3 };

type Query = Parameters<TailwaterApi['query']>[1];

export interface RecallRequest {
  subject?: string;
  session?: string;
  /** What to look for, by meaning and words. Without it: the newest first. */
  query?: string;
  /** More conditions, over any field. */
  filter?: JsonObject;
  /** 1..1000, default 10. */
  limit?: number;
  /** How much newer ones are preferred; default: a share of 0.3 that halves in 30 days. Null: not at all. */
  recency?: Query['recency'] | null;
  /** Default: everything acknowledged (on one node), or what the client last saw. */
  consistency?: Query['consistency'];
}

/** Null: nothing has been remembered yet, so there is no such stream. */
export async function recall(
  api: Pick<TailwaterApi, 'query'>,
  stream: string,
  request: RecallRequest,
): Promise<QueryAnswer | null> {
  const { query, limit = DEFAULT_LIMIT, recency, consistency } = request;
  const filter = filterOf(request);
  const found = query === undefined ? { mode: 'filter' as const } : { text: query, ...recencyOf(recency) };
  const asked: Query = { ...found, limit, ...(filter === null ? {} : { filter }), ...(consistency && { consistency }) };
  try {
    return await api.query(stream, asked);
  } catch (error) {
    if (isTailwaterError(error, 'TW_STREAM_NOT_FOUND')) return null;
    throw error;
  }
}

function recencyOf(recency: RecallRequest['recency']): Pick<Query, 'recency'> {
  return recency === null ? {} : { recency: recency ?? DEFAULT_RECENCY };
}

function filterOf({ subject, session, filter }: RecallRequest): JsonObject | null {
  const conditions: JsonValue[] = [];
  if (subject !== undefined) conditions.push({ subject });
  if (session !== undefined) conditions.push({ session });
  if (filter !== undefined) conditions.push(filter);
  return conditions.length === 0 ? null : { $and: conditions };
}
