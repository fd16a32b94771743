import type { CheckpointTuple, PendingWrite } from '@langchain/langgraph-checkpoint';
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
  content: Packed;
  metadata: Packed;
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
    kind: { enum: ['checkpoint', 'write'], type: 'string' },
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
  },
  required: ['kind', 'thread', 'namespace', 'checkpoint', 'content'],
};

export function checkpointKey({ thread, namespace, id }: Place): string {
  return JSON.stringify([thread, namespace, id]);
}

export function writeKey({ thread, namespace, id }: Place, task: string, index: number): string {
  return JSON.stringify([thread, namespace, id, task, index]);
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
