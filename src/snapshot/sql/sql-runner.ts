import type { DuckDBDataChunk, DuckDBResult } from '@duckdb/node-api';
import { type Clock, isTailwaterError, Pace, TailwaterError } from '../../base/index.ts';
import type { Pin } from '../../journal/index.ts';
import type { FileSystem } from '../../storage/index.ts';
import { encodeToken, type StreamDefinition } from '../../streams/index.ts';
import { freshnessOf, positionOf } from '../pinned.ts';
import type { Pinner } from '../pinner.ts';
import type { Scanner } from '../scan/scanner.ts';
import { checkReach } from './check.ts';
import { TableCopies } from './copies.ts';
import { jsonOf } from './encode-value.ts';
import { isUnreadable } from './errors.ts';
import { createTable, fillTable } from './fill.ts';
import { needsOf, type SqlNeeds } from './needs.ts';
import { parseSelect } from './parse.ts';
import { ParserConnection, Sandbox } from './sandbox.ts';
import { Slots } from './slots.ts';
import type { SqlAnswer, SqlColumn, SqlRequest, SqlSettings } from './sql-types.ts';
import { isStream, type QueriedTable, queriedTable, streamNamed } from './tables.ts';

const DEFAULT_LIMIT = 10_000;
const MAX_LIMIT = 1_000_000;
const DEFAULT_DEADLINE_MS = 30_000;
const MAX_DEADLINE_MS = 600_000;
const MAX_TABLES = 32;
const SLICE_MS = 5;

export interface SqlRunnerOptions {
  scanner: Scanner;
  pinner: Pinner;
  /** All streams there are. */
  definitions: () => readonly StreamDefinition[];
  clock: Clock;
  settings: SqlSettings;
  fs: FileSystem;
  /** For copies of columns; a folder of its own, removed on `close`. */
  folder: string;
}

/**
 * Runs SELECTs over streams: what the query's text can need of each is read by merged scans at one instant into a DuckDB of its own, which
 * then runs it. DuckDB works in threads of its own; what is done here takes turns with everything else.
 */
export class SqlRunner {
  readonly #options: SqlRunnerOptions;
  readonly #parser = new ParserConnection();
  readonly #slots: Slots;
  readonly #copies: TableCopies;

  constructor(options: SqlRunnerOptions) {
    const { fs, folder, settings } = options;
    this.#options = options;
    this.#copies = new TableCopies({ fs, folder, maxBytes: settings.copyBytes });
    this.#slots = new Slots(options.settings.concurrency);
  }

  /** `mayRead`: which streams there are for it. Throws TW_SQL_INVALID, _NOT_ALLOWED, _MEMORY, _TOO_LARGE, TW_DEADLINE, TW_BUSY, TW_STREAM_NOT_FOUND and what pinning throws. */
  async run(request: SqlRequest, signal?: AbortSignal, mayRead?: (stream: string) => boolean): Promise<SqlAnswer> {
    const { clock } = this.#options;
    const { sql, limit, deadlineMs } = checkedRequest(request);
    const deadlineAtMs = clock.nowMs() + deadlineMs;
    const tree = await parseSelect(sql, this.#parser);
    checkReach(tree);
    const all = this.#options.definitions();
    const definitions = mayRead === undefined ? all : all.filter(({ name }) => mayRead(name));
    const needs = needsOf(tree, name => isStream(name, definitions));
    if (needs.tables.size > MAX_TABLES) throw badRequest(`a query reads at most ${MAX_TABLES} streams`);
    const release = await this.#slots.take(clock, deadlineMs);
    try {
      const wrapped = await this.#limited(sql, limit);
      return await this.#answer({ sql, wrapped, definitions, needs, limit, deadlineMs, deadlineAtMs, request, signal });
    } finally {
      release();
    }
  }

  stats(): Record<string, number> {
    return { ...this.#slots.stats(), ...this.#copies.stats() };
  }

  async close(): Promise<void> {
    await this.#parser.close();
    await this.#copies.close();
  }

  /**
   * The query with a row more than may be returned: an answer of DuckDB is whole in memory before its first row, since one that streams ends
   * without an error where it failed. The text stays as it was sent where it can be put into parentheses.
   */
  async #limited(sql: string, limit: number): Promise<string> {
    const around = (query: string): string => `SELECT * FROM (${query}\n) LIMIT ${limit + 1}`;
    const wrapped = around(sql.replace(/[\s;]+$/, ''));
    const parses = await parseSelect(wrapped, this.#parser).then(
      () => true,
      () => false,
    );
    if (parses) return wrapped;
    return around(await this.#parser.rewritten(sql));
  }

  async #answer(query: RunningQuery): Promise<SqlAnswer> {
    const { pinner, clock } = this.#options;
    const { definitions, needs, request, deadlineAtMs } = query;
    const named = [...needs.tables.values()].map(table => streamNamed(table.name, definitions));
    const instant = await pinner.pinAll(named, request.consistency, deadlineAtMs);
    const pins: Pin[] = [];
    try {
      for (const pinned of instant.pinned) pins.push(...(await this.#options.scanner.pin(pinned)));
      return {
        ...(await this.#run(query, instant.pinned)),
        freshness: Object.fromEntries(instant.pinned.map(pinned => [pinned.definition.name, freshnessOf(pinned, clock.nowMs())])),
        token: encodeToken({
          shards: [{ shard: instant.shard, seq: instant.throughSegment }],
          streams: instant.pinned.flatMap(pinned => positionOf(pinned).streams),
        }),
      };
    } finally {
      for (const pin of pins) await pin.release().catch(() => {});
    }
  }

  async #run(query: RunningQuery, pinned: Pinned[]): Promise<Pick<SqlAnswer, 'columns' | 'rows'>> {
    const { sandbox, tables, names } = await this.#prepared(query, pinned);
    try {
      for (const [index, table] of tables.entries()) await fillTable(table, index, sandbox, this.#options.clock);
      return await this.#rows(sandbox, query, names);
    } catch (error) {
      throw await explained(error, tables);
    } finally {
      await ended(sandbox, tables);
    }
  }

  /** Tables with the columns that are named; all columns where the binder says that it misses some, also for its own advice then. */
  async #prepared(query: RunningQuery, pinned: Pinned[]): Promise<PreparedQuery> {
    try {
      return await this.#bound(query, pinned, true);
    } catch (error) {
      if (!isTailwaterError(error, 'TW_SQL_INVALID')) throw error;
      return this.#bound(query, pinned, false);
    }
  }

  /** Before a row is read, so that a query that cannot run costs nothing. */
  async #bound(query: RunningQuery, pinned: Pinned[], narrow: boolean): Promise<PreparedQuery> {
    const { scanner, settings, clock } = this.#options;
    const { sql, needs, deadlineMs, deadlineAtMs, signal } = query;
    const tables: QueriedTable[] = [];
    let sandbox: Sandbox | null = null;
    try {
      const sources = { schemas: scanner.schemas, copies: this.#copies };
      for (const [index, table] of [...needs.tables.values()].entries()) {
        tables.push(await queriedTable(table, needs.names, pinned[index], sources, narrow));
      }
      const paths = tables.flatMap(table => table.source?.rows.paths ?? []);
      const leftMs = Math.max(1, deadlineAtMs - clock.nowMs());
      sandbox = await Sandbox.open({ limits: settings, clock, leftMs, deadlineMs, paths, signal });
      for (const table of tables) await createTable(table, sandbox);
      return { sandbox, tables, names: await namesOf(sql, sandbox) };
    } catch (error) {
      await ended(sandbox, tables);
      throw error;
    }
  }

  async #rows(
    sandbox: Sandbox,
    { wrapped, limit }: RunningQuery,
    names: string[],
  ): Promise<{ columns: SqlColumn[]; rows: string[] }> {
    const result: DuckDBResult = await sandbox.step(connection => connection.run(wrapped));
    const types = result.columnTypes();
    const columns = types.map((type, index) => ({ name: names[index], type: type.alias ?? String(type) }));
    const rows: string[] = [];
    const pace = new Pace(this.#options.clock, SLICE_MS);
    let bytes = 0;
    for (;;) {
      const chunk: DuckDBDataChunk | null = await sandbox.step(() => result.fetchChunk());
      if (chunk === null || chunk.rowCount === 0) return { columns, rows };
      for (let row = 0; row < chunk.rowCount; row++) {
        const cells = types.map((type, column) => jsonOf(chunk.getColumnVector(column).getItem(row), type));
        const text = `[${cells.join(',')}]`;
        bytes += text.length;
        rows.push(text);
        if (rows.length > limit) throw tooLarge(`It has more than ${limit} rows.`);
        if (bytes > this.#options.settings.maxAnswerBytes)
          throw tooLarge(`Its first ${rows.length} rows are more than ${this.#options.settings.maxAnswerBytes} bytes.`);
        if (pace.due) await pace.rest();
      }
      sandbox.checkDeadline();
    }
  }
}

type Pinned = Awaited<ReturnType<Pinner['pinAll']>>['pinned'][number];

interface PreparedQuery {
  sandbox: Sandbox;
  tables: QueriedTable[];
  /** Of the columns of the answer. */
  names: string[];
}

async function namesOf(sql: string, sandbox: Sandbox): Promise<string[]> {
  return sandbox.step(async connection => {
    const statement = await (await connection.extractStatements(sql)).prepare(0);
    const found = Array.from({ length: statement.columnCount }, (_, index) => statement.columnName(index));
    statement.destroySync();
    return found;
  });
}

async function ended(sandbox: Sandbox | null, tables: readonly QueriedTable[]): Promise<void> {
  sandbox?.close();
  for (const { source } of tables) {
    if (source?.kind === 'copy') await source.copy.release();
    else source?.release();
  }
}

/** What DuckDB could not read in place is looked at by whoever wrote it. */
async function explained(error: unknown, tables: readonly QueriedTable[]): Promise<unknown> {
  if (!isUnreadable(error)) return error;
  for (const { source } of tables) {
    const reason = source === null ? error : await source.rows.explain(error.cause);
    if (isTailwaterError(reason, 'TW_DATA_DAMAGED', 'TW_HISTORY_EXPIRED', 'TW_STORAGE_UNAVAILABLE')) return reason;
  }
  return error;
}

interface RunningQuery {
  sql: string;
  /** With a limit around it. */
  wrapped: string;
  /** The streams there are for it. */
  definitions: readonly StreamDefinition[];
  needs: SqlNeeds;
  limit: number;
  deadlineMs: number;
  deadlineAtMs: number;
  request: SqlRequest;
  signal: AbortSignal | undefined;
}

function checkedRequest({
  sql,
  limit = DEFAULT_LIMIT,
  deadlineMs = DEFAULT_DEADLINE_MS,
}: SqlRequest): Required<Omit<SqlRequest, 'consistency'>> {
  if (typeof sql !== 'string' || sql.trim() === '') throw badRequest('`sql` must be a text');
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw badRequest(`\`limit\` must be an integer from 1 to ${MAX_LIMIT}`);
  const isTime = Number.isFinite(deadlineMs) && deadlineMs >= 1 && deadlineMs <= MAX_DEADLINE_MS;
  if (!isTime) throw badRequest(`\`deadlineMs\` must be a number from 1 to ${MAX_DEADLINE_MS}`);
  return { sql, limit, deadlineMs };
}

function badRequest(why: string): TailwaterError {
  return new TailwaterError('TW_BAD_REQUEST', { detail: `The query cannot be run: ${why}.` });
}

function tooLarge(why: string): TailwaterError {
  return new TailwaterError('TW_SQL_TOO_LARGE', { detail: `The answer is too large. ${why}` });
}
