/** Rows per chunk at most: ordinals `number * CHUNK_ROWS …` belong to chunk `number`. A power of two. */
export const CHUNK_ROWS = 8_192;

/** What is known of a row, one bit each. */
export const ROW = {
  /** The value is null. */
  tombstone: 1,
  /** Has a search text, so it counts as a document. */
  document: 2,
  /** Has a text to embed. */
  embeddable: 4,
  /** Its vector has arrived. */
  vector: 8,
} as const;
