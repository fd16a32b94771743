import { AdditiveHash, hashOfRange } from '../../base/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import { TableStatistics } from '../statistics/statistics.ts';
import type { TableStore, TableVersion } from '../table-store.ts';
import type { TableState } from '../table-types.ts';

const PAGE_RECORDS = 5_000;

export interface VerifyTableOptions {
  store: ObjectStore;
  tables: Pick<TableStore, 'open'>;
  definition: StreamDefinition;
  state: TableState;
  /** Rows and records read so far. */
  onProgress?(read: number): void;
}

/**
 * Reads all of the version that a state names, and its statistics. Every offset up to the watermark must be there exactly once, less what
 * the state says has expired; rows and changes must have the counts and the additive hashes of the state; the statistics must be readable.
 * Returns what is wrong, one line each. Throws what reading throws.
 */
export async function verifyTable({ store, tables, definition, state, onProgress }: VerifyTableOptions): Promise<string[]> {
  const version = await tables.open(definition, { rows: state.rowsVersion, changes: state.changesVersion }, state.schema);
  let read = 0;
  const count = (records: number): void => {
    read += records;
    onProgress?.(read);
  };
  const rows = await scanRows(version, count);
  const records = await scanRecords(version, state, count);
  const changes = AdditiveHash.parse(records.hash.toString());
  changes.subtractHash(rows.hash);
  const statistics = await TableStatistics.load(store, state.statistics);
  const accounted = AdditiveHash.parse(records.hash.toString());
  accounted.addHash(AdditiveHash.parse(state.expiredHash));
  return [
    ...records.problems,
    differs('rows', rows.count, state.rowCount),
    differs('changes', records.count - rows.count, state.changeCount),
    differs('the hash of its rows', rows.hash.toString(), state.rowsHash),
    differs('the hash of its changes', changes.toString(), state.changesHash),
    differs('the hash of all it accounts for', accounted.toString(), offsetsUpTo(state).toString()),
    statistics.documents > rows.count ? `its statistics count ${statistics.documents} texts in ${rows.count} rows` : null,
  ].filter(problem => problem !== null);
}

async function scanRows(version: TableVersion, count: (rows: number) => void): Promise<{ count: number; hash: AdditiveHash }> {
  const hash = new AdditiveHash();
  let rows = 0;
  for await (const batch of version.scan({})) {
    for (const { partition, offset } of batch) hash.add(partition, offset);
    rows += batch.length;
    count(batch.length);
  }
  return { count: rows, hash };
}

/** Rows and changes merged, in the order of their offsets. */
async function scanRecords(
  version: TableVersion,
  state: TableState,
  count: (records: number) => void,
): Promise<{ count: number; hash: AdditiveHash; problems: string[] }> {
  const hash = new AdditiveHash();
  const problems: string[] = [];
  const complete = state.expiredHash === new AdditiveHash().toString();
  let records = 0;
  for (const [partition, last] of state.watermark.entries()) {
    for (let next = 0; next <= last; ) {
      const page = await version.byOffsets(partition, next, last, PAGE_RECORDS);
      for (const { offset } of page) {
        if (offset !== next && (complete || offset < next)) problems.push(offsetFault(partition, offset, next));
        next = offset + 1;
        hash.add(partition, offset);
      }
      records += page.length;
      count(page.length);
      if (page.length === 0) {
        if (complete) problems.push(offsetFault(partition, last + 1, next));
        break;
      }
    }
  }
  return { count: records, hash, problems: problems.slice(0, 10) };
}

function offsetFault(partition: number, found: number, expected: number): string {
  if (found < expected) return `offset ${found} of partition ${partition} is there twice`;
  const missing = found - 1 === expected ? `offset ${expected} is` : `offsets ${expected} to ${found - 1} are`;
  return `${missing} missing in partition ${partition}`;
}

function offsetsUpTo(state: TableState): AdditiveHash {
  const hash = new AdditiveHash();
  for (const [partition, last] of state.watermark.entries()) hash.addHash(hashOfRange(partition, 0, last));
  return hash;
}

function differs(what: string, found: number | string, expected: number | string): string | null {
  return found === expected ? null : `${what}: ${found} found, ${expected} in the state`;
}
