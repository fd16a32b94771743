import type { Clock, Random } from '../../base/index.ts';
import type { Duck } from './duck.ts';
import type { FileChecks } from './file-checks.ts';
import type { ParquetWriter } from './parquet-writer.ts';
import type { PositionDeletes } from './position-deletes.ts';
import type { TableFiles } from './table-files.ts';
import type { TableLoader } from './table-loader.ts';

export interface IcebergSettings {
  /** Size up to which small data files are merged. Default 128 MiB. */
  targetFileBytes: number;
  /** Share of deleted rows from which a data file is written anew when files are merged. Default 0.1. */
  deletedShare: number;
  /** Manifests of a version, above which the next change writes them as one. Default 64. */
  maxManifests: number;
  /** Open table versions kept for reuse. Default 64. */
  maxHandles: number;
  /**
   * Files of a dataset up to this size together are compared with their checksums when a version with them is first opened. Of larger ones
   * only what the reader cannot make sense of is found, and by `tailwater doctor` the rest. Default 64 MiB.
   */
  checkedBytes: number;
}

export const ICEBERG_DEFAULTS: IcebergSettings = {
  targetFileBytes: 128 * 1024 * 1024,
  deletedShare: 0.1,
  maxManifests: 64,
  maxHandles: 64,
  checkedBytes: 64 * 1024 * 1024,
};

/** What all tables of a store share. */
export interface IcebergContext {
  files: TableFiles;
  duck: Duck;
  writer: ParquetWriter;
  loader: TableLoader;
  deletes: PositionDeletes;
  checks: FileChecks;
  clock: Clock;
  random: Random;
  settings: IcebergSettings;
}
