import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { TailwaterError } from '../../base/index.ts';

export interface DuckSettings {
  /** Threads of all queries together. Default 2. */
  threads: number;
  /** Memory of all queries together; larger sorts go to `spillFolder`. Default 512 MiB. */
  memoryBytes: number;
  /** Null: what does not fit into memory fails. */
  spillFolder: string | null;
}

export const DUCK_DEFAULTS: DuckSettings = { threads: 2, memoryBytes: 512 * 1024 * 1024, spillFolder: null };

/** One DuckDB in memory, made when it is first needed: it reads and writes Parquet, and keeps nothing. */
export class Duck {
  readonly #settings: DuckSettings;
  #instance: Promise<DuckDBInstance> | null = null;
  #closed = false;
  #names = 0;

  constructor(settings: DuckSettings) {
    this.#settings = settings;
  }

  async connect(): Promise<DuckDBConnection> {
    if (this.#closed) throw new TailwaterError('TW_CLOSED');
    this.#instance ??= this.#create();
    return (await this.#instance).connect();
  }

  async use<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    const connection = await this.connect();
    try {
      return await work(connection);
    } finally {
      connection.closeSync();
    }
  }

  /** Runs with the name of a table that is new, and drops it afterwards. */
  async withTable<T>(work: (connection: DuckDBConnection, table: string) => Promise<T>): Promise<T> {
    const table = `rows_${++this.#names}`;
    return this.use(async connection => {
      try {
        return await work(connection, table);
      } finally {
        await connection.run(`DROP TABLE IF EXISTS ${table}`);
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const instance = await this.#instance?.catch(() => null);
    instance?.closeSync();
    this.#instance = null;
  }

  async #create(): Promise<DuckDBInstance> {
    const { threads, memoryBytes, spillFolder } = this.#settings;
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(threads),
      memory_limit: `${Math.ceil(memoryBytes / 1024 ** 2)}MiB`,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      ...(spillFolder === null ? { temp_directory: '' } : { temp_directory: spillFolder }),
    });
    const connection = await instance.connect();
    await connection.run('SET GLOBAL parquet_metadata_cache = true');
    connection.closeSync();
    return instance;
  }
}

/** A column name in DuckDB's SQL. */
export function duckName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text in DuckDB's SQL, whose parser ends at a zero byte. */
export function duckText(text: string): string {
  const parts = text.split('\0').map(part => `'${part.replaceAll("'", "''")}'`);
  return parts.length === 1 ? parts[0] : `(${parts.join(' || chr(0) || ')})`;
}
