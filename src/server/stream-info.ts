import { earliestOf, headsOf, type LiveStream, type Pinned, watermarkOf } from '../snapshot/index.ts';
import type { StreamInfo } from './api.ts';

/** What GET /v1/streams/{s} says, at a pinned instant. */
export async function streamInfo(pinned: Pinned, stream: LiveStream): Promise<StreamInfo> {
  const head = headsOf(pinned);
  const watermark = watermarkOf(pinned);
  const hidden = (await pinned.shadowed?.totals(pinned.tail, [])) ?? { rows: 0 };
  return {
    definition: pinned.definition,
    earliest: earliestOf(pinned),
    head,
    watermark,
    lag: head.reduce((sum, last, partition) => sum + last - watermark[partition], 0),
    rows: (pinned.table?.state.rowCount ?? 0) - hidden.rows + pinned.tail.rowCount(),
    tailBytes: stream.tail.bytes,
    fields: (pinned.table?.state.schema.columns ?? []).map(({ name, path, type }) => ({ name, path, type })),
  };
}
