import { TailwaterError } from '../base/index.ts';
import type { TableTag } from '../lakehouse/index.ts';
import { type Position, StreamTail } from '../streams/index.ts';
import type { LiveStream } from './live-stream.ts';
import type { Pinned } from './pinned.ts';
import { ShadowedRows } from './shadowed-rows.ts';

/** The instant of a tag: its table state, and nothing of the log. Throws TW_TAG_NOT_FOUND. */
export async function pinTag(stream: LiveStream, shard: number, name: string): Promise<Pinned> {
  const tag = await stream.tags.read(name);
  if (tag !== null) return pinTagged(stream, shard, tag);
  throw new TailwaterError('TW_TAG_NOT_FOUND', {
    detail: `Stream "${stream.definition.name}" has no tag ${JSON.stringify(name.slice(0, 140))}.`,
  });
}

/** The same for a token, when a tag keeps what it names; null when none does. */
export async function pinTaggedPosition(stream: LiveStream, shard: number, position: Position): Promise<Pinned | null> {
  const named = position.streams.find(entry => entry.incarnation === stream.definition.incarnation);
  const segment = position.shards.find(entry => entry.shard === shard)?.seq;
  if (named === undefined || segment === undefined) return null;
  const tag = (await stream.tags.list()).find(({ state }) => {
    return state.n === named.tableState && state.logSeq <= segment && isSame(state.watermark, named.heads);
  });
  return tag === undefined ? null : pinTagged(stream, shard, tag);
}

async function pinTagged(stream: LiveStream, shard: number, tag: TableTag): Promise<Pinned> {
  const { definition } = stream;
  const table = await stream.taggedView(tag);
  const { logSeq, logTimeMs } = tag.state;
  return {
    definition,
    shard,
    table,
    resident: null,
    shadowed: definition.kind === 'upsert' ? new ShadowedRows(definition, table) : null,
    tail: new StreamTail(definition).snapshot(logSeq, logSeq),
    throughSegment: logSeq,
    throughTimeMs: logTimeMs,
  };
}

function isSame(watermark: readonly number[], heads: readonly number[]): boolean {
  return watermark.length === heads.length && watermark.every((offset, partition) => offset === heads[partition]);
}
