import type { RunnableConfig } from '@langchain/core/runnables';
import {
  BaseCheckpointSaver,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointPendingWrite,
  type CheckpointTuple,
  copyCheckpoint,
  getCheckpointId,
  maxChannelVersion,
  type PendingWrite,
  type SerializerProtocol,
  TASKS,
} from '@langchain/langgraph-checkpoint';
import { type JsonObject, systemRandom, TailwaterError } from '../../base/index.ts';
import type { TailwaterApi } from '../../server/index.ts';
import { appendAll, deleteRows, ensureStream, rowsOf, scanValues } from '../rows/index.ts';
import {
  type CheckpointRow,
  checkpointKey,
  configOf,
  inOrder,
  type Place,
  pack,
  SCHEMA,
  unpack,
  type ValueRow,
  valueKey,
  valueRecords,
  type WriteRow,
  writeRecords,
} from './checkpoint-rows.ts';

export interface TailwaterSaverConfig {
  /** A `TailwaterClient` or an embedded `Tailwater`. */
  client: TailwaterApi;
  /** An upsert stream, a row a checkpoint and a row a pending write; made at the first use when it is not there. */
  stream: string;
  serde?: SerializerProtocol;
}

/** Before this version the sends to the next step were kept as writes of the parent. */
const VERSION_WITH_SENDS = 4;

/** LangGraph's checkpoints in a stream: threads can be resumed, rewound and forked, and read by SQL and scans like all other rows. */
export class TailwaterSaver extends BaseCheckpointSaver {
  readonly #client: TailwaterApi;
  readonly #stream: string;
  #ready: Promise<void> | null = null;

  constructor({ client, stream, serde }: TailwaterSaverConfig) {
    super(serde);
    this.#client = client;
    this.#stream = stream;
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    if (config.configurable?.thread_id === undefined) return undefined;
    const place = placeOf(config);
    const row = await this.#checkpointAt(place);
    if (row === null) return undefined;
    return this.#tupleOf(row, place.id === null ? configOf(placeOfRow(row)) : config);
  }

  /** Newest first within each thread and namespace. */
  override async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    const { thread_id: thread, checkpoint_ns: namespace } = config.configurable ?? {};
    const { limit = Number.POSITIVE_INFINITY, before, filter = {} } = options;
    const only = { ...(thread !== undefined && { thread }), ...(namespace !== undefined && { namespace }) };
    const beforeId = before?.configurable?.checkpoint_id as string | undefined;
    const wanted = getCheckpointId(config);
    let left = limit;
    for (const place of await this.#places(only)) {
      if (left <= 0) return;
      if (wanted !== '' && wanted !== undefined && place.id !== wanted) continue;
      if (beforeId !== undefined && place.id! >= beforeId) continue;
      const row = await this.#checkpointAt(place);
      if (row === null) continue;
      const tuple = await this.#tupleOf(row, configOf(place));
      const metadata = (tuple.metadata ?? {}) as Record<string, unknown>;
      if (!Object.entries(filter).every(([name, value]) => metadata[name] === value)) continue;
      left--;
      yield tuple;
    }
  }

  /** A checkpoint and the channels that changed with it become visible together while they fit one segment. */
  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    await this.#open();
    const parent = placeOf(config);
    const place = { ...parent, id: checkpoint.id };
    const row: CheckpointRow = {
      kind: 'checkpoint',
      thread: place.thread,
      namespace: place.namespace,
      checkpoint: checkpoint.id,
      parent: parent.id,
      content: await pack(this.serde, { ...copyCheckpoint(checkpoint), channel_values: {} }),
      metadata: await pack(this.serde, metadata),
    };
    const values = await valueRecords(this.serde, place, checkpoint, newVersions);
    await appendAll(this.#client, this.#stream, [...values, { key: checkpointKey(place), value: row }]);
    return configOf(place);
  }

  /** What one call writes becomes visible together. A write that is there already stays, but for those that each task has one of. */
  override async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string, taskPath = ''): Promise<void> {
    await this.#open();
    const place = placeOf(config);
    if (place.id === null) throw missing('checkpoint_id');
    const records = await writeRecords(this.serde, place, writes, taskId, taskPath);
    const keys = records.filter(({ value }) => value.index >= 0).map(({ key }) => key);
    const there = new Set(
      (await rowsOf(this.#client, this.#stream, keys)).flatMap((row, at) => (row === null ? [] : [keys[at]])),
    );
    await appendAll(
      this.#client,
      this.#stream,
      records.filter(({ key }) => !there.has(key)),
    );
  }

  override async deleteThread(threadId: string): Promise<void> {
    await this.#open();
    const keys: string[] = [];
    for await (const { _key_text: key } of scanValues(this.#client, this.#stream, {
      columns: ['_key_text'],
      filter: { thread: threadId },
    })) {
      keys.push(key as string);
    }
    await deleteRows(this.#client, this.#stream, keys);
  }

  async #checkpointAt(place: Place): Promise<CheckpointRow | null> {
    await this.#open();
    const known = place.id === null ? (await this.#places({ thread: place.thread, namespace: place.namespace }))[0] : place;
    if (known === undefined) return null;
    const [row] = await rowsOf(this.#client, this.#stream, [checkpointKey(known)]);
    return row === null ? null : (row.record.value as CheckpointRow);
  }

  /** Of every checkpoint that matches, the newest first in each namespace: ids rise with time. */
  async #places(only: { thread?: string; namespace?: string }): Promise<Place[]> {
    await this.#open();
    const filter: JsonObject = { kind: 'checkpoint', ...only };
    const groups = new Map<string, Place[]>();
    for await (const row of scanValues(this.#client, this.#stream, { columns: ['thread', 'namespace', 'checkpoint'], filter })) {
      const place = placeOfRow(row as CheckpointRow);
      const group = JSON.stringify([place.thread, place.namespace]);
      const known = groups.get(group);
      if (known === undefined) groups.set(group, [place]);
      else known.push(place);
    }
    return [...groups.values()].flatMap(places => places.sort((a, b) => (a.id! < b.id! ? 1 : -1)));
  }

  async #tupleOf(row: CheckpointRow, config: RunnableConfig): Promise<CheckpointTuple> {
    const place = placeOfRow(row);
    const checkpoint = (await unpack(this.serde, row.content)) as Checkpoint;
    checkpoint.channel_values = await this.#valuesOf(place, checkpoint.channel_versions);
    const parent = row.parent === null ? null : { ...place, id: row.parent };
    if (checkpoint.v < VERSION_WITH_SENDS && parent !== null) await this.#addSends(checkpoint, parent);
    return {
      config,
      checkpoint,
      metadata: (await unpack(this.serde, row.metadata)) as CheckpointMetadata,
      pendingWrites: await this.#writesOf(place),
      ...(parent !== null && { parentConfig: configOf(parent) }),
    };
  }

  async #valuesOf(place: Place, versions: ChannelVersions): Promise<Checkpoint['channel_values']> {
    const channels = Object.entries(versions);
    const keys = channels.map(([channel, version]) => valueKey(place, channel, version));
    const rows = await rowsOf(this.#client, this.#stream, keys);
    const values = await Promise.all(
      rows.map(async (row, at) =>
        row === null ? [] : [[channels[at][0], await unpack(this.serde, (row.record.value as ValueRow).content)] as const],
      ),
    );
    return Object.fromEntries(values.flat());
  }

  async #writesOf({ thread, namespace, id }: Place): Promise<CheckpointPendingWrite[]> {
    const filter: JsonObject = { kind: 'write', thread, namespace, checkpoint: id };
    const columns = ['task', 'path', 'index', 'channel', 'content'];
    const rows: WriteRow[] = [];
    for await (const row of scanValues(this.#client, this.#stream, { columns, filter })) rows.push(row as WriteRow);
    return Promise.all(
      inOrder(rows).map(
        async ({ task, channel, content }): Promise<CheckpointPendingWrite> => [task, channel, await unpack(this.serde, content)],
      ),
    );
  }

  async #addSends(checkpoint: Checkpoint, parent: Place): Promise<void> {
    const sends = (await this.#writesOf(parent)).filter(([, channel]) => channel === TASKS).map(([, , value]) => value);
    const versions = Object.values(checkpoint.channel_versions);
    checkpoint.channel_values[TASKS] = sends;
    checkpoint.channel_versions[TASKS] = versions.length > 0 ? maxChannelVersion(...versions) : this.getNextVersion(undefined);
  }

  /** A count with a random fraction: versions of one channel in two forks of a thread must differ, as values are kept by version. */
  override getNextVersion(current: number | undefined): number {
    return Math.floor(current ?? 0) + 1 + systemRandom.float();
  }

  #open(): Promise<void> {
    this.#ready ??= ensureStream(this.#client, this.#stream, () => ({ kind: 'upsert', schema: SCHEMA }));
    this.#ready.catch(() => {
      this.#ready = null;
    });
    return this.#ready;
  }
}

/** Throws TW_BAD_REQUEST without a thread. */
function placeOf(config: RunnableConfig): Place {
  const { thread_id: thread, checkpoint_ns: namespace = '' } = config.configurable ?? {};
  if (typeof thread !== 'string' || thread === '') throw missing('thread_id');
  const id = getCheckpointId(config);
  return { thread, namespace, id: id === undefined || id === '' ? null : id };
}

function placeOfRow({ thread, namespace, checkpoint }: CheckpointRow): Place {
  return { thread, namespace, id: checkpoint };
}

function missing(name: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail: `The config needs \`configurable.${name}\`, a text.` });
}
