export interface DatasetInfo {
  name: string;
  /** ISO 8601. */
  createdAt: string;
  /** The definition and the position of each view that the rows were made with. */
  views: { view: string; version: string; token: string }[];
  /** The member that holds the time. */
  time: string;
  asSeen: boolean;
  rows: number;
  /** Of the rows as JSON lines. */
  bytes: number;
  sha256: string;
  /** Of the rows that features were added to, as JSON lines. */
  spineSha256: string;
}
