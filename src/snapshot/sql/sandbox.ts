import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { Timer } from '../../base/index.ts';
import { type Clock, TailwaterError } from '../../base/index.ts';
import { asSqlError } from './errors.ts';

export interface SandboxLimits {
  memoryBytes: number;
  threads: number;
}

/** Options are applied in this order; without access to files no other path can be set afterwards. */
function optionsOf({ memoryBytes, threads }: SandboxLimits): Record<string, string> {
  return {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    memory_limit: `${Math.floor(memoryBytes / 1024)}KiB`,
    threads: String(threads),
    temp_directory: '',
    enable_external_access: 'false',
  };
}

/** A DuckDB in memory that reaches no file, no network and no setting, and lives for one query. */
export class Sandbox {
  readonly connection: DuckDBConnection;
  readonly #instance: DuckDBInstance;
  readonly #deadline: Timer | null;
  readonly #deadlineMs: number;
  #late = false;
  #cancelled = false;
  #closed = false;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection, clock: Clock, leftMs: number, deadlineMs: number) {
    this.#instance = instance;
    this.connection = connection;
    this.#deadlineMs = deadlineMs;
    this.#deadline = clock.after(leftMs, () => {
      this.#late = true;
      this.#interrupt();
    });
  }

  /** `leftMs`: what is left of the deadline; what runs then is interrupted. */
  static async open(limits: SandboxLimits, clock: Clock, leftMs: number, deadlineMs: number): Promise<Sandbox> {
    const instance = await DuckDBInstance.create(':memory:', optionsOf(limits));
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    await connection.run('SET lock_configuration = true');
    return new Sandbox(instance, connection, clock, leftMs, deadlineMs);
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

  /** Whoever asked is gone. */
  cancel(): void {
    this.#cancelled = true;
    this.#interrupt();
  }

  checkDeadline(): void {
    if (this.#cancelled) throw new TailwaterError('TW_CLOSED', { detail: 'The query was called off.' });
    if (!this.#late) return;
    throw new TailwaterError('TW_DEADLINE', { detail: `The query did not end within ${this.#deadlineMs} ms and was stopped.` });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deadline?.cancel();
    this.connection.closeSync();
    this.#instance.closeSync();
  }

  #interrupt(): void {
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
    return { instance, connection: await instance.connect() };
  }
}
