import type { JsonObject } from '../../base/index.ts';
import type { ScanOptions, TailwaterApi } from '../../server/index.ts';

/** The rows of a scan, a JSON object each, as they arrive. */
export async function* scanValues(
  api: TailwaterApi,
  stream: string,
  options: Omit<ScanOptions, 'format'>,
): AsyncGenerator<JsonObject> {
  const { body } = await api.scan(stream, { ...options, format: 'ndjson' });
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line !== '') yield JSON.parse(line);
  }
  if (rest !== '') yield JSON.parse(rest);
}
