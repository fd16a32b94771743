export type { ChangedRow, StagedFacts, TableRows, TableStaging, TableStore, TableVersion, TableVersions } from './table-store.ts';
export type { TableCandidate, TableColumn, TableRow, TableSchema, TableState, TableStateKind } from './table-types.ts';
