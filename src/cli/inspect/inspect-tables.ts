import { type JsonObject, TailwaterError } from '../../base/index.ts';
import { ObjectJournal } from '../../journal/index.ts';
import { FormatTableStore, type TableFolders, type TableState, TableStates } from '../../lakehouse/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import { readCatalog, type StreamDefinition } from '../../streams/index.ts';
import type { Damages } from './damages.ts';
import type { StreamReport } from './report.ts';

/** Every stream of the catalog with its newest table state, whose dataset is opened and counted. */
export async function inspectStreams(store: ObjectStore, folders: TableFolders, damages: Damages): Promise<StreamReport[]> {
  const definitions = (await damages.of('catalog', () => readCatalog(new ObjectJournal(store, 'catalog')))) ?? [];
  const reports: StreamReport[] = [];
  for (const definition of definitions) {
    const { name, kind, incarnation, partitions } = definition;
    const state = await damages.of(`table state of ${name}`, () => new TableStates(store, incarnation).latest());
    if (state !== null) await damages.of(`table of ${name}`, () => checkRows(folders, definition, state));
    reports.push({ name, kind, incarnation, partitions, logRecords: 0, table: state && tableReport(state) });
  }
  return reports;
}

/** Objects carry checksums that reading verifies. */
export async function inspectObjects(
  store: ObjectStore,
  damages: Damages,
  prefix = '',
): Promise<{ count: number; bytes: number }> {
  const totals = { count: 0, bytes: 0 };
  let startAfter: string | undefined;
  for (;;) {
    const page = await damages.of('objects', () => store.list(prefix, startAfter === undefined ? {} : { startAfter }));
    if (page === null || page.length === 0) return totals;
    for (const { key } of page) {
      const object = await damages.of(`object ${key}`, () => store.get(key));
      totals.count++;
      totals.bytes += object?.bytes.length ?? 0;
    }
    startAfter = page.at(-1)!.key;
  }
}

async function checkRows(folders: TableFolders, definition: StreamDefinition, state: TableState): Promise<void> {
  const tables = await FormatTableStore.open(folders);
  try {
    const version = await tables.open(definition, { rows: state.rowsVersion, changes: state.changesVersion }, state.schema);
    const found = await version.countRows();
    if (found !== state.rowCount) throw countsDiffer(found, state);
  } finally {
    await tables.close();
  }
}

function countsDiffer(found: number, { n, rowCount }: TableState): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail: `State ${n} names ${rowCount} rows, but the table has ${found}.` });
}

function tableReport(state: TableState): StreamReport['table'] {
  return {
    state: state.n,
    kind: state.kind,
    rows: state.rowCount,
    changes: state.changeCount,
    watermark: state.watermark,
    logSeq: state.logSeq,
    committedAt: new Date(state.committedAtMs).toISOString(),
    schema: { id: state.schema.id, columns: state.schema.columns.map(({ name, type }) => ({ name, type })) } satisfies JsonObject,
  };
}
