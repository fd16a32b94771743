import { type Clock, type Random, randomId, TailwaterError } from '../base/index.ts';
import type { Pins } from '../journal/index.ts';
import { checkTagName, type TableFolders, type TableState, type TableTag, tagState } from '../lakehouse/index.ts';
import { DEFAULT_DEADLINE_MS, type LiveStream, type LiveStreams, type Pinner } from '../snapshot/index.ts';
import { encodeToken, type StreamDefinition } from '../streams/index.ts';
import type { TagInfo } from './api.ts';
import { tableDatasets } from './table-datasets.ts';

export interface TaggingOptions {
  streams: LiveStreams;
  pinner: Pinner;
  pins: Pins;
  /** Resolves when the stream's table holds everything through the segment. */
  compact(stream: LiveStream, throughSegment: number): Promise<void>;
  clock: Clock;
  random: Random;
  places: TableFolders;
}

/** Names for instants of streams, that maintenance, collection and the end of history leave alone. */
export class Tagging {
  readonly #options: TaggingOptions;

  constructor(options: TaggingOptions) {
    this.#options = options;
  }

  /**
   * Tags everything acknowledged before the call, which is compacted for it, or an earlier instant. TW_TAG_EXISTS; TW_NOT_TAGGABLE for an
   * instant between two table states, or without a table; TW_HISTORY_EXPIRED.
   */
  async create(definition: StreamDefinition, name: string, asOf: string | undefined): Promise<TagInfo> {
    checkTagName(name);
    const { streams, pins, clock, random } = this.#options;
    const stream = streams.require(definition);
    const state = asOf === undefined ? await this.#stateNow(stream) : await this.#stateAt(stream, asOf);
    const tag: TableTag = { name, createdAtMs: clock.nowMs(), attemptId: randomId(random), state };
    return this.#info(definition, await tagState(pins, stream.states, stream.tags, tag));
  }

  async list(definition: StreamDefinition): Promise<TagInfo[]> {
    const tags = await this.#options.streams.require(definition).tags.list();
    return tags.map(tag => this.#info(definition, tag));
  }

  /** TW_TAG_NOT_FOUND. */
  async delete(definition: StreamDefinition, name: string): Promise<void> {
    if (await this.#options.streams.require(definition).tags.delete(name)) return;
    throw new TailwaterError('TW_TAG_NOT_FOUND', {
      detail: `Stream "${definition.name}" has no tag ${JSON.stringify(name.slice(0, 140))}.`,
    });
  }

  async #stateNow(stream: LiveStream): Promise<TableState> {
    const { shard } = this.#options.streams;
    await shard.refresh();
    await this.#options.compact(stream, shard.seq);
    const state = await stream.states.latest();
    if (state !== null) return state;
    throw new TailwaterError('TW_NOT_TAGGABLE', {
      detail: `Stream "${stream.definition.name}" has no record yet, so it has no table.`,
    });
  }

  async #stateAt({ definition }: LiveStream, asOf: string): Promise<TableState> {
    const { pinner, clock } = this.#options;
    const { table, tail } = await pinner.pin(definition, { asOf }, clock.nowMs() + DEFAULT_DEADLINE_MS);
    if (table !== null && tail.recordCount === 0) return table.state;
    const apart = table === null ? 'No table state is so old' : `${tail.recordCount} records lie between it and the table`;
    throw new TailwaterError('TW_NOT_TAGGABLE', {
      detail: `${apart}: only an instant that a table holds exactly can be kept.`,
      data: { tableState: table?.state.n ?? null, records: tail.recordCount },
    });
  }

  #info(definition: StreamDefinition, { name, createdAtMs, state }: TableTag): TagInfo {
    const shards = [{ shard: this.#options.streams.shardNumber, seq: state.logSeq }];
    const streams = [{ incarnation: state.incarnation, tableState: state.n, heads: state.watermark }];
    return {
      stream: definition.name,
      name,
      token: encodeToken({ shards, streams }),
      asOf: new Date(state.logTimeMs).toISOString(),
      createdAt: new Date(createdAtMs).toISOString(),
      rows: state.rowCount,
      tableState: state.n,
      datasets: tableDatasets(this.#options.places, state),
    };
  }
}
