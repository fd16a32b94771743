/**
 * The journal port (design, section 4): a dense sequence of immutable entries 1, 2, 3, …; creating entry N is the commit of N.
 * Knows nothing of what entries mean. What is deliberately not in it: appending without a number, changing, truncating.
 *
 * Implementations: `ObjectJournal` over an ObjectStore, `FileJournal` over a FileSystem folder with one exclusive owner.
 */
export type CreateOutcome =
  /** Durable, and the floor read afterwards is not above it (J4). */
  | { kind: 'ok' }
  /** Some entry has this number; read it to learn whose. */
  | { kind: 'exists' }
  /** The number is below the floor: the create does not count. */
  | { kind: 'below-floor'; floor: number }
  | { kind: 'unknown'; cause: unknown };

export interface Checkpoint {
  /** The state after this entry. 0: before any entry. */
  seq: number;
  bytes: Uint8Array;
}

export interface Journal {
  /** Put-if-absent of entry `seq` (>= 1). Safe to repeat with identical bytes until the content of `seq` is known (J2). */
  create(seq: number, bytes: Uint8Array): Promise<CreateOutcome>;
  /** Null: not found, which is the head only if `floor()`, read after, is <= seq (J5). Throws TW_DATA_DAMAGED. */
  read(seq: number): Promise<Uint8Array | null>;
  /** The lowest entry that may still be read; 1 at first. Only rises. */
  floor(): Promise<number>;
  /** Makes the floor durable (compare-and-swap). The caller has written a checkpoint at or above `to - 1` (J6). */
  raiseFloor(to: number): Promise<void>;
  /** Deletes entries below the floor; never those at or above it. */
  collect(): Promise<void>;
  /** The newest checkpoint, or null. */
  latestCheckpoint(): Promise<Checkpoint | null>;
  writeCheckpoint(checkpoint: Checkpoint): Promise<void>;
  /** A clean end: a file journal writes its seal and gives up its lock. */
  close(): Promise<void>;
}
