import type { ApiRecord, JsonObject, TailwaterApi } from '../../../src/index.ts';

export interface Match {
  record: ApiRecord;
  value: JsonObject;
}

/**
 * The records of a stream that match, from `from` on and then as they are acknowledged, until the signal aborts. The one place of this story that
 * knows how: it follows the stream and looks at each record here.
 */
export async function* followMatching(
  api: Pick<TailwaterApi, 'follow'>,
  stream: string,
  { from, where, signal }: { from: number; where: JsonObject; signal: AbortSignal },
): AsyncGenerator<Match> {
  for await (const { record } of api.follow(stream, { partition: 0, from, signal })) {
    const value = record.value as JsonObject;
    if (Object.entries(where).every(([field, wanted]) => value[field] === wanted)) yield { record, value };
  }
}
