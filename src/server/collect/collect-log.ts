import type { TableStates } from '../../lakehouse/index.ts';
import {
  isBehind,
  type LogFloorPlan,
  type LogShard,
  planLogFloor,
  type StreamDefinition,
  type StreamProgress,
} from '../../streams/index.ts';
import type { CollectionSettings } from './settings.ts';

/** A shard as it was at one moment: every stream of it, and where its partitions go on. */
export interface ShardHeads {
  shard: LogShard;
  head: number;
  nextOffsets: Map<string, number[]>;
}

export interface ShardPlan extends LogFloorPlan {
  shard: LogShard;
  head: number;
  /** The floor before. */
  from: number;
}

/** Synchronous after the refresh, so that head and offsets are of one moment. */
export async function headsOf(shard: LogShard): Promise<ShardHeads> {
  await shard.refresh();
  const offsets = shard.incarnations().map(incarnation => [incarnation, shard.nextOffsets(incarnation) ?? []] as const);
  return { shard, head: shard.seq, nextOffsets: new Map(offsets) };
}

/** `definitions` were read after the heads: a stream of the log that is not among them is being deleted. */
export async function planShard(
  heads: ShardHeads,
  definitions: ReadonlyMap<string, StreamDefinition>,
  statesOf: (incarnation: string) => TableStates,
  settings: CollectionSettings,
  nowMs: number,
  pinnedFromSeq: number | null,
): Promise<ShardPlan> {
  const { shard, head } = heads;
  const from = await shard.floor();
  const streams: StreamProgress[] = [];
  let historyMs = 0;
  for (const [incarnation, nextOffsets] of heads.nextOffsets) {
    const definition = definitions.get(incarnation);
    if (definition === undefined) {
      // Its deletion is decided, and not in the log yet: until it is, nodes go on serving the stream.
      streams.push({ incarnation, behind: true, logSeq: from - 1 });
      continue;
    }
    historyMs = Math.max(historyMs, definition.historyMs ?? Number.POSITIVE_INFINITY);
    const state = await statesOf(incarnation).latest();
    streams.push({ incarnation, behind: isBehind(nextOffsets, state?.watermark ?? []), logSeq: state?.logSeq ?? 0 });
  }
  const retainedFromSeq = await retainedFrom(shard, settings, nowMs, historyMs);
  return { shard, head, from, ...planLogFloor({ floor: from, head, streams, retainedFromSeq, pinnedFromSeq }) };
}

/** The lowest segment that time, bytes or the history of streams keep. */
async function retainedFrom(shard: LogShard, settings: CollectionSettings, nowMs: number, historyMs: number): Promise<number> {
  const { logRetainMs, logRetainBytes, logHistoryMs } = settings;
  const byTime = await shard.firstCommittedAfter(nowMs - Math.max(logRetainMs, Math.min(logHistoryMs, historyMs)));
  return logRetainBytes === 0 ? byTime : Math.min(byTime, shard.lastFollowedBy(logRetainBytes) + 1);
}
