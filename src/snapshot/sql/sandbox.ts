import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { Timer } from '../../base/index.ts';
import { type Clock, TailwaterError } from '../../base/index.ts';
import { asSqlError } from './errors.ts';

export interface SandboxLimits {
  memoryBytes: number;
  threads: number;
}

function optionsOf({ memoryBytes, threads }: SandboxLimits): Record<string, string> {
  return {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    memory_limit: `${Math.floor(memoryBytes / 1024)}KiB`,
    threads: String(threads),
    temp_directory: '',
  };
}

/** Once access is gone, no path can be set any more, not even none; so these are last, in this order. */
function locked(paths: readonly string[]): string[] {
  const allowed = paths.map(path => `'${path.replaceAll("'", "''")}'`).join(', ');
  return [`SET allowed_paths = [${allowed}]`, 'SET enable_external_access = false', 'SET lock_configuration = true'];
}

/** What a query's tables of rows, keys and places are in; no query can name it. */
export const OWN_SCHEMA = 'tailwater_parts';

export interface SandboxOptions {
  limits: SandboxLimits;
  clock: Clock;
  /** What is left of the deadline; what runs then is interrupted. */
  leftMs: number;
  deadlineMs: number;
  /** The files that can be read. */
  paths: readonly string[];
  signal: AbortSignal | undefined;
}

/** A DuckDB in memory that reaches no network, no setting and no file but the given ones, and lives for one query. */
export class Sandbox {
  readonly connection: DuckDBConnection;
  readonly #instance: DuckDBInstance;
  readonly #deadline: Timer | null;
  readonly #deadlineMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#interrupt();
  readonly #interrupted = Promise.withResolvers<void>();
  #late = false;
  #closed = false;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection, options: SandboxOptions) {
    this.#instance = instance;
    this.connection = connection;
    this.#deadlineMs = options.deadlineMs;
    this.#deadline = options.clock.after(options.leftMs, () => {
      this.#late = true;
      this.#interrupt();
    });
    this.#signal = options.signal;
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  static async open(options: SandboxOptions): Promise<Sandbox> {
    const instance = await DuckDBInstance.create(':memory:', optionsOf(options.limits));
    const connection = await instance.connect();
    const statements = [`SET TimeZone = 'UTC'`, `CREATE SCHEMA ${OWN_SCHEMA}`, ...locked(options.paths)];
    for (const statement of statements) await connection.run(statement);
    return new Sandbox(instance, connection, options);
  }

  /** Runs a step of a query: what DuckDB throws becomes an error of the registry. TW_DEADLINE once it has passed, whatever the step says. */
  async step<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    this.checkDeadline();
    try {
      const result = await work(this.connection);
      this.checkDeadline();
      return result;
    } catch (error) {
      this.checkDeadline();
      throw asSqlError(error);
    }
  }

  /** Waits for work that goes on by itself, no longer than the query may. */
  async until(work: Promise<void>): Promise<void> {
    await Promise.race([work, this.#interrupted.promise]);
    this.checkDeadline();
  }

  /** TW_DEADLINE, or TW_CLOSED when whoever asked is gone. */
  checkDeadline(): void {
    if (this.#signal?.aborted) throw new TailwaterError('TW_CLOSED', { detail: 'The query was called off.' });
    if (!this.#late) return;
    throw new TailwaterError('TW_DEADLINE', { detail: `The query did not end within ${this.#deadlineMs} ms and was stopped.` });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deadline?.cancel();
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.connection.closeSync();
    this.#instance.closeSync();
  }

  #interrupt(): void {
    this.#interrupted.resolve();
    if (!this.#closed) this.connection.interrupt();
  }
}

/** A DuckDB that parses, and runs nothing that a user wrote. */
export class ParserConnection {
  #connection: Promise<{ instance: DuckDBInstance; connection: DuckDBConnection }> | null = null;

  async serialize(sql: string): Promise<string> {
    this.#connection ??= ParserConnection.#open();
    const { connection } = await this.#connection;
    const reader = await connection.runAndReadAll(
      'SELECT json_serialize_sql($1::VARCHAR, skip_null := true, skip_empty := true)',
      [sql],
    );
    return String(reader.value(0, 0));
  }

  /** The same query without comments and semicolons, as DuckDB would write it. */
  async rewritten(sql: string): Promise<string> {
    this.#connection ??= ParserConnection.#open();
    const { connection } = await this.#connection;
    return String(
      (await connection.runAndReadAll('SELECT json_deserialize_sql(json_serialize_sql($1::VARCHAR))', [sql])).value(0, 0),
    );
  }

  async close(): Promise<void> {
    if (this.#connection === null) return;
    const { instance, connection } = await this.#connection;
    connection.closeSync();
    instance.closeSync();
  }

  static async #open(): Promise<{ instance: DuckDBInstance; connection: DuckDBConnection }> {
    const instance = await DuckDBInstance.create(':memory:', optionsOf({ memoryBytes: 64 * 1024 * 1024, threads: 1 }));
    const connection = await instance.connect();
    for (const statement of locked([])) await connection.run(statement);
    return { instance, connection };
  }
}
