import type { ChannelVersions, Checkpoint, CheckpointTuple, PendingWrite } from '@langchain/langgraph-checkpoint';
import { compareWritesSortKeys, type SerializerProtocol, WRITES_IDX_MAP, writesSortKey } from '@langchain/langgraph-checkpoint';
import type { JsonObject } from '../../base/index.ts';
import type { AppendRecord } from '../../server/index.ts';

type Config = CheckpointTuple['config'];

/** Where a checkpoint belongs; `id` null: the newest. */
export interface Place {
  thread: string;
  namespace: string;
  id: string | null;
}

/** What a serializer made: its kind, and text where that is JSON, else base64. */
interface Packed extends JsonObject {
  type: string;
  body: string;
}

export interface CheckpointRow extends JsonObject {
  kind: 'checkpoint';
  thread: string;
  namespace: string;
  checkpoint: string;
  parent: string | null;
  /** Without the values of its channels: these are rows of their own, by the versions that it names. */
  content: Packed;
  metadata: Packed;
}

/** What a channel held at a version. Checkpoints share it until it changes. */
export interface ValueRow extends JsonObject {
  kind: 'value';
  thread: string;
  namespace: string;
  channel: string;
  version: string | number;
  content: Packed;
}

export interface WriteRow extends JsonObject {
  kind: 'write';
  thread: string;
  namespace: string;
  checkpoint: string;
  task: string;
  path: string;
  /** Place among the task's writes; negative where a channel has one write a task, which the last replaces. */
  index: number;
  channel: string;
  content: Packed;
}

/** Declared, so that every column is there before the first record. */
export const SCHEMA = {
  type: 'object',
  properties: {
    kind: { enum: ['checkpoint', 'value', 'write'], type: 'string' },
    thread: { type: 'string' },
    namespace: { type: 'string' },
    checkpoint: { type: 'string' },
    parent: { type: ['string', 'null'] },
    content: { type: 'object' },
    metadata: { type: 'object' },
    task: { type: 'string' },
    path: { type: 'string' },
    index: { type: 'integer' },
    channel: { type: 'string' },
    version: { type: ['string', 'number'] },
  },
  required: ['kind', 'thread', 'namespace', 'content'],
};

export function checkpointKey({ thread, namespace, id }: Place): string {
  return JSON.stringify([thread, namespace, id]);
}

export function writeKey({ thread, namespace, id }: Place, task: string, index: number): string {
  return JSON.stringify([thread, namespace, id, task, index]);
}

export function valueKey({ thread, namespace }: Place, channel: string, version: string | number): string {
  return JSON.stringify([thread, namespace, 'value', channel, version]);
}

export function configOf({ thread, namespace, id }: Place): Config {
  return { configurable: { thread_id: thread, checkpoint_ns: namespace, checkpoint_id: id } };
}

export async function pack(serde: SerializerProtocol, value: unknown): Promise<Packed> {
  const [type, bytes] = await serde.dumpsTyped(value);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { type, body: buffer.toString(type === 'json' ? 'utf8' : 'base64') };
}

export async function unpack(serde: SerializerProtocol, { type, body }: Packed): Promise<unknown> {
  return serde.loadsTyped(type, type === 'json' ? body : new Uint8Array(Buffer.from(body, 'base64')));
}

/** The channels that changed with a checkpoint, as records; one that holds nothing has no row. */
export async function valueRecords(
  serde: SerializerProtocol,
  place: Place,
  { channel_values: values }: Checkpoint,
  changed: ChannelVersions,
): Promise<AppendRecord[]> {
  const held = Object.entries(changed).filter(([channel]) => values[channel] !== undefined);
  return Promise.all(
    held.map(async ([channel, version]) => {
      const { thread, namespace } = place;
      const row: ValueRow = { kind: 'value', thread, namespace, channel, version, content: await pack(serde, values[channel]) };
      return { key: valueKey(place, channel, version), value: row };
    }),
  );
}

/** A task's writes as records, in the places that LangGraph gives them. */
export async function writeRecords(
  serde: SerializerProtocol,
  place: Place,
  writes: readonly PendingWrite[],
  task: string,
  path: string,
): Promise<(AppendRecord & { key: string; value: WriteRow })[]> {
  return Promise.all(
    writes.map(async ([channel, value], at) => {
      const index = WRITES_IDX_MAP[channel] ?? at;
      const row: WriteRow = {
        kind: 'write',
        thread: place.thread,
        namespace: place.namespace,
        checkpoint: place.id!,
        task,
        path,
        index,
        channel,
        content: await pack(serde, value),
      };
      return { key: writeKey(place, task, index), value: row };
    }),
  );
}

/** In the order in which LangGraph applies them. */
export function inOrder(rows: readonly WriteRow[]): WriteRow[] {
  const keyed = rows.map(row => ({ row, key: writesSortKey(row.path, row.task, row.index) }));
  return keyed.sort((a, b) => compareWritesSortKeys(a.key, b.key)).map(({ row }) => row);
}
