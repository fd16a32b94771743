export interface CollectionSettings {
  /** How long readers that began before the mark may take; longer ones pin what they need. Default 30 s, for a folder; 10 min for S3. */
  graceMs: number;
  /** Segments committed within this time stay, whatever is in tables. Default 0. */
  logRetainMs: number;
  /** Newest segments of at least so many bytes stay. Default 0. */
  logRetainBytes: number;
  /**
   * Within a stream's `history`, instants between two table states are rebuilt from the log: exactly, or not at all. The log is kept for that
   * at most this long; older instants are those that a table state holds, others TW_HISTORY_EXPIRED. Default 24 h.
   */
  logHistoryMs: number;
  /** Table states go once they are older than history by this share of it, all that are older than history at once. Default 0.125. */
  historySlack: number;
  /**
   * What other engines wrote into the folders of a stream's Iceberg table, and no version names, may be of a commit that is under way for so long.
   * Default 24 h.
   */
  otherEnginesGraceMs: number;
  /** The catalog's entries go once there are so many beside its checkpoint. Default 100. */
  catalogEntries: number;
}

export const COLLECTION_DEFAULTS: CollectionSettings = {
  graceMs: 30_000,
  logRetainMs: 0,
  logRetainBytes: 0,
  logHistoryMs: 24 * 3_600_000,
  historySlack: 0.125,
  otherEnginesGraceMs: 24 * 3_600_000,
  catalogEntries: 100,
};
