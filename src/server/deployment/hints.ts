/**
 * Something new that other nodes would find by themselves, a poll later. Nothing rests on a hint: it may be lost, late, repeated or wrong.
 * - `segment`: the log shard has an entry of this number.
 * - `table`: a table state of this stream life was committed.
 * - `catalog`: a stream or a feature view was created, changed or deleted.
 */
export type Hint = { kind: 'segment'; shard: number; seq: number } | { kind: 'table'; incarnation: string } | { kind: 'catalog' };

/** Carries hints between nodes. What is deliberately not in it: delivery, order, acknowledgement. */
export interface Hints {
  /** Must not throw and not wait. */
  publish(hint: Hint): void;
  /** Hints of other nodes. Returns how to stop. */
  subscribe(listener: (hint: Hint) => void): () => void;
}

/** Nodes that only poll. */
export const noHints: Hints = {
  publish() {},
  subscribe: () => () => {},
};
