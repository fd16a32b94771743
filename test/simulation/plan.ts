import type { StreamSettings } from '../../src/streams/index.ts';
import type { Faults } from '../harness/faulty-object-store.ts';

/** How likely each fault is, 0 to 1; a plan draws which are active and how much (swarm testing). */
export interface FaultRates extends Faults {
  /** Calls to the disk that fail (file journal only). */
  disk: number;
  /** Calls to the remote embedding provider that fail. */
  provider: number;
}

export interface PlannedRecord {
  key: string | null;
  /** Null deletes the key. A value gets a member `m` that no other record has; a deletion gets a header of that name. */
  value: Record<string, string | number> | null;
}

/** How fresh the answer has to be; `ref` picks among the tokens or segments there are at that moment. */
export type PlannedConsistency =
  | { kind: 'default' | 'strong' }
  | { kind: 'atLeast' | 'asOfToken'; ref: number }
  | { kind: 'maxStaleness'; ms: number }
  | { kind: 'asOfTime'; ref: number; plusMs: number };

export type PlannedFilter =
  | { kind: 'gt' | 'lte'; value: number }
  | { kind: 'eq'; value: string | number }
  | { kind: 'in'; values: string[] }
  | { kind: 'exists'; value: boolean };

export interface PlannedQuery {
  mode: 'text' | 'vector' | 'hybrid' | 'filter';
  words: string[];
  /** Instead of embedding the words. */
  vector: number[] | null;
  filter: PlannedFilter | null;
  limit: number;
}

export type PlannedFrom =
  | { kind: 'earliest' | 'latest' }
  | { kind: 'offset'; ref: number }
  | { kind: 'commit-time' | 'event-time'; ref: number };

/** What happens, as plain data: any sublist of a plan's operations is a plan too. */
export type Operation = { afterMs: number } & (
  | {
      kind: 'append';
      node: number;
      stream: number;
      id: string;
      records: PlannedRecord[];
      idempotent: boolean;
      /** Records without what the stream demands: they are rejected and go to the dead letters. */
      bad: number;
      /** Uses the idempotency key of an earlier append, counted back, with another body. */
      reuse: number | null;
    }
  | { kind: 'search'; node: number; stream: number; query: PlannedQuery; consistency: PlannedConsistency }
  | {
      kind: 'page';
      node: number;
      stream: number;
      partition: number;
      from: PlannedFrom;
      limit: number;
      consistency: PlannedConsistency;
    }
  | { kind: 'row'; node: number; stream: number; key: string; consistency: PlannedConsistency }
  | { kind: 'compact'; node: number; stream: number; times: 1 | 2; maintain: boolean }
  | { kind: 'maintain'; node: number; stream: number; full: boolean }
  | { kind: 'advance'; node: number; stream: number }
  | { kind: 'checkpoint'; node: number }
  | { kind: 'collect'; node: number; thorough: boolean }
  | { kind: 'crash'; node: number; afterCalls: number; lands: boolean; machine: boolean; downMs: number }
  | { kind: 'restart'; node: number }
  | { kind: 'pause'; node: number; ms: number }
  | { kind: 'jump'; node: number; ms: number }
  | { kind: 'provider'; down: boolean }
  | { kind: 'follow'; follower: number; node: number; stream: number; from: PlannedFrom; partition: number | null }
  | { kind: 'stall'; follower: number; stalled: boolean }
  | { kind: 'move'; follower: number; node: number }
  | { kind: 'recreate'; node: number; stream: number }
);

export interface Plan {
  seed: number;
  journal: 'object' | 'file';
  nodes: number;
  retries: boolean;
  lingerMs: number;
  checkpointEverySegments: number;
  streams: { name: string; settings: StreamSettings }[];
  rates: FaultRates;
  operations: Operation[];
}
