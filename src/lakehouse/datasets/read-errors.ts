import { isTailwaterError, TailwaterError } from '../../base/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import type { DatasetKind } from '../columns/arrow-schema.ts';
import type { ColumnBatch } from '../columns/column-batch.ts';
import type {
  CandidateDetail,
  ColumnScanOptions,
  ExpiredRecords,
  ExpiryBounds,
  ScanOptions,
  TableVersion,
  TableVersions,
} from '../table-store.ts';
import type { IndexableRow, TableCandidate, TableRow } from '../table-types.ts';
import type { ParquetOptions, ParquetRows } from './parquet-rows.ts';

/** Failures of the machine, not of the bytes. */
const UNAVAILABLE = /too many open files|permission denied|out of memory|temporarily unavailable/i;

/**
 * What a read of a version that never changes threw. What the engine or a decoder cannot make sense of is damage, and is given the names of
 * stream and dataset; errors of the registry that are about something else pass.
 */
export function readError(definition: StreamDefinition, datasets: string, error: unknown): TailwaterError {
  if (isTailwaterError(error) && error.code !== 'TW_DATA_DAMAGED') return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new TailwaterError(UNAVAILABLE.test(reason) ? 'TW_STORAGE_UNAVAILABLE' : 'TW_DATA_DAMAGED', {
    detail: `The table of stream "${definition.name}" cannot be read from ${datasets}: ${reason}`,
    data: { stream: definition.name, datasets },
    cause: error,
  });
}

/** The table engine says it in words only. */
export function saysFull(reason: string): boolean {
  return /No space left on device|Disk quota exceeded|\bos error (28|122)\b/.test(reason);
}

/** What removing old versions threw: LanceDB writes to do it. */
export function pruneError(definition: StreamDefinition, error: unknown): TailwaterError {
  if (isTailwaterError(error)) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new TailwaterError(saysFull(reason) ? 'TW_STORAGE_FULL' : 'TW_STORAGE_UNAVAILABLE', {
    detail: `Old versions of the table of stream "${definition.name}" could not be removed: ${reason}`,
    cause: error,
  });
}

/** Says which dataset and version it is, as `{incarnation}/rows.lance, version 7`. */
export type NameDataset = (definition: StreamDefinition, kind: DatasetKind, version: number) => string;

/** A version whose reads fail with errors that name what could not be read. */
export class NamedReads implements TableVersion {
  readonly #version: TableVersion;
  readonly #definition: StreamDefinition;
  readonly #rows: string;
  readonly #both: string;

  constructor(version: TableVersion, definition: StreamDefinition, { rows, changes }: TableVersions, nameOf: NameDataset) {
    this.#version = version;
    this.#definition = definition;
    this.#rows = nameOf(definition, 'rows', rows);
    this.#both = changes === null ? this.#rows : `${this.#rows}, or ${nameOf(definition, 'changes', changes)}`;
  }

  byKeys(keys: readonly Uint8Array[]): Promise<TableRow[]> {
    return this.#read(this.#rows, () => this.#version.byKeys(keys));
  }

  searchText(query: string, limit: number, where: string | null, detail?: CandidateDetail): Promise<TableCandidate[]> {
    return this.#read(this.#rows, () => this.#version.searchText(query, limit, where, detail));
  }

  searchVector(vector: Float32Array, limit: number, where: string | null, detail?: CandidateDetail): Promise<TableCandidate[]> {
    return this.#read(this.#rows, () => this.#version.searchVector(vector, limit, where, detail));
  }

  rowsOf(candidates: readonly TableCandidate[]): Promise<TableRow[]> {
    return this.#read(this.#rows, () => this.#version.rowsOf(candidates));
  }

  byOffsets(partition: number, first: number, last: number, limit: number): Promise<TableRow[]> {
    return this.#read(this.#both, () => this.#version.byOffsets(partition, first, last, limit));
  }

  expired(bounds: ExpiryBounds, limit: number): Promise<ExpiredRecords> {
    return this.#read(this.#both, () => this.#version.expired(bounds, limit));
  }

  countRows(where?: string | null): Promise<number> {
    return this.#read(this.#rows, () => this.#version.countRows(where));
  }

  async parquet(options?: ParquetOptions): Promise<ParquetRows | null> {
    const rows = await this.#read(this.#rows, () => this.#version.parquet(options));
    if (rows === null) return null;
    return { ...rows, explain: async error => readError(this.#definition, this.#rows, await rows.explain(error)) };
  }

  warm(): Promise<void> {
    return this.#read(this.#rows, () => this.#version.warm());
  }

  scan(options: ScanOptions): AsyncIterable<TableRow[]> {
    return this.#iterate(this.#version.scan(options));
  }

  scanIndexable(options: ScanOptions): AsyncIterable<IndexableRow[]> {
    return this.#iterate(this.#version.scanIndexable(options));
  }

  scanColumns(options: ColumnScanOptions): AsyncIterable<ColumnBatch> {
    return this.#iterate(this.#version.scanColumns(options));
  }

  async *#iterate<T>(scan: AsyncIterable<T>): AsyncGenerator<T> {
    const batches = scan[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#read(this.#rows, () => batches.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await batches.return?.();
    }
  }

  async #read<T>(datasets: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw readError(this.#definition, datasets, error);
    }
  }
}
