import { seededRandom } from '../../src/base/index.ts';
import { Dice } from '../simulation/dice.ts';

export type StoreKind = 'folder' | 's3';

/**
 * How a round of load ends.
 * - group: the node and its compaction process are killed at once.
 * - alone: the node is killed; its compaction process notices later, beside the next node.
 * - compaction: the compaction process is killed a few times, the node goes on, then both are killed.
 * - starting: as group, and the next nodes are killed while they start.
 * - server: the S3 server is killed, comes back, the node goes on, then it is killed.
 * - both: the S3 server and the node are killed together.
 * - clean: the node is told to stop.
 */
export type Ending = 'group' | 'alone' | 'compaction' | 'starting' | 'server' | 'both' | 'clean';

export interface Round {
  number: number;
  ending: Ending;
  /** From the beginning of the load to the end, or to the first kill of what is not the node. */
  loadMs: number;
  /** Kills of what is not the node, or of nodes that start: how long after the one before, or after their start. */
  pausesMs: number[];
  /** Of the node that is started at its end. */
  compactionHost: 'process' | 'inline';
  /** Starts with an empty store, after everything of the one before was verified. */
  fresh: boolean;
}

/** Rounds over one store before the next. */
const ROUNDS_PER_STORE = 50;
const LOAD_MS = { least: 150, most: 2000 };
const PAUSE_MS = { least: 20, most: 900 };
/** A node takes about two seconds to start. */
const START_MS = { least: 50, most: 2500 };
const MAX_PAUSES = 3;

const ENDINGS: Record<StoreKind, readonly (readonly [Ending, number])[]> = {
  folder: [
    ['group', 9],
    ['alone', 4],
    ['compaction', 3],
    ['starting', 3],
    ['clean', 1],
  ],
  s3: [
    ['group', 8],
    ['starting', 3],
    ['server', 5],
    ['both', 3],
    ['clean', 1],
  ],
};

/** What a seed does, round by round. When kills fall is the machine's own doing. */
export function planRounds(store: StoreKind, rounds: number, seed: number): Round[] {
  const dice = new Dice(seededRandom(seed));
  return Array.from({ length: rounds }, (_, index) => {
    const ending = dice.weighted(ENDINGS[store]);
    const pauses = ending === 'starting' ? START_MS : PAUSE_MS;
    return {
      number: index + 1,
      ending,
      loadMs: dice.between(LOAD_MS.least, LOAD_MS.most),
      pausesMs: Array.from({ length: dice.between(1, MAX_PAUSES) }, () => dice.between(pauses.least, pauses.most)),
      compactionHost: store === 's3' || dice.happens(0.4) ? 'inline' : 'process',
      fresh: index % ROUNDS_PER_STORE === 0,
    };
  });
}
