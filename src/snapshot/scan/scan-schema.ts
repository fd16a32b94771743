import { type Clock, type JsonValue, Pace, TailwaterError } from '../../base/index.ts';
import { type ArrowField, fieldsOf, initialSchema, SchemaFold, type TableSchema } from '../../lakehouse/index.ts';
import type { Pinned } from '../pinned.ts';

/** System columns a scan can give, beside the user's. docs/FORMATS.md describes them. */
export const SYSTEM_COLUMNS: readonly string[] = [
  '_partition',
  '_offset',
  '_seq',
  '_key',
  '_key_text',
  '_time',
  '_ingested_at',
  '_headers',
  '_extra',
];

const DEFAULT_SYSTEM_COLUMNS = ['_partition', '_offset', '_seq', '_key_text', '_time', '_ingested_at'];
const MAX_REMEMBERED_FOLDS = 256;
const SLICE_MS = 5;

/** Where, who and what, without anything else: a text with its place, user columns by their names, and what fits no column. */
export function defaultColumns(schema: TableSchema): string[] {
  return [...DEFAULT_SYSTEM_COLUMNS, ...schema.columns.map(column => column.name), '_extra'];
}

/** Of those that are made for search, which a schema has where they are asked for. */
function derivedColumns({ text, dimensions }: TableSchema): string[] {
  return [...(text ? ['_text'] : []), ...(dimensions === null ? [] : ['_embedding'])];
}

/** The fields of these columns; a user column may be named by its path as well. TW_UNKNOWN_FIELD, TW_BAD_REQUEST for none or one twice. */
export function resolveColumns(schema: TableSchema, columns: readonly string[]): { names: string[]; fields: ArrowField[] } {
  if (columns.length === 0) throw new TailwaterError('TW_BAD_REQUEST', { detail: 'Name at least one column.' });
  const byPath = new Map(schema.columns.map(column => [column.path, column.name]));
  const known = new Set([...SYSTEM_COLUMNS, ...derivedColumns(schema), ...schema.columns.map(column => column.name)]);
  const names = columns.map(name => (known.has(name) ? name : byPath.get(name)) ?? unknownColumn(name, known));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new TailwaterError('TW_BAD_REQUEST', { detail: `Column "${twice}" is named twice.` });
  return { names, fields: fieldsOf(schema, names).map(field => field!) };
}

function unknownColumn(name: string, known: ReadonlySet<string>): never {
  const shown = [...known].slice(0, 50).join(', ');
  throw new TailwaterError('TW_UNKNOWN_FIELD', {
    detail: `There is no column "${name}". There are ${shown}${known.size > 50 ? ', …' : ''}.`,
    data: { column: name },
  });
}

interface Remembered {
  state: number | null;
  throughSegment: number;
  fold: SchemaFold;
}

/**
 * The columns a stream has at a pinned instant: those of its table, and those that the table will get from the tail, by the same fold
 * that the compactor runs. So they do not depend on how the records are split. Tails are folded once, and then as they grow.
 */
export class ScanSchemas {
  readonly #clock: Clock;
  readonly #folds = new Map<string, Remembered>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Without text and embedding, which are derived: `withDerived` adds them. */
  of(pinned: Pinned): Promise<TableSchema> {
    const turn = this.#turn.then(() => this.#of(pinned));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #of(pinned: Pinned): Promise<TableSchema> {
    const base = { ...tableSchemaOf(pinned), text: false, dimensions: null };
    if (pinned.definition.schema !== null) return base;
    const { fold, throughSegment } = this.#remembered(pinned, base);
    const pace = new Pace(this.#clock, SLICE_MS);
    for (const { value } of pinned.tail.records(throughSegment)) {
      if (value !== null) fold.add(parsed(value));
      if (pace.due) await pace.rest();
    }
    this.#remember(pinned, fold);
    // The fold goes on with the next scan, while this one still reads.
    const schema = fold.result();
    return { ...schema, columns: [...schema.columns] };
  }

  /** A fold that is further than the pinned instant cannot be taken back. */
  #remembered(pinned: Pinned, base: TableSchema): { fold: SchemaFold; throughSegment: number } {
    const known = this.#folds.get(pinned.definition.incarnation);
    const state = pinned.table?.state.n ?? null;
    if (known !== undefined && known.state === state && known.throughSegment <= pinned.tail.throughSegment) return known;
    return { fold: new SchemaFold(base), throughSegment: pinned.tail.afterSegment };
  }

  #remember(pinned: Pinned, fold: SchemaFold): void {
    const { incarnation } = pinned.definition;
    const known = this.#folds.get(incarnation);
    const state = pinned.table?.state.n ?? null;
    const { throughSegment } = pinned.tail;
    const isOlder =
      known !== undefined && known.fold !== fold && (known.state ?? -1) >= (state ?? -1) && known.throughSegment > throughSegment;
    if (isOlder) return;
    this.#folds.delete(incarnation);
    this.#folds.set(incarnation, { state, throughSegment, fold });
    if (this.#folds.size > MAX_REMEMBERED_FOLDS) this.#folds.delete(this.#folds.keys().next().value!);
  }
}

export function tableSchemaOf({ table, definition }: Pinned): TableSchema {
  return table?.state.schema ?? initialSchema(definition);
}

/** Null for bytes that are not JSON, as the compactor takes them. */
export function parsed(value: Uint8Array): JsonValue {
  try {
    return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString());
  } catch {
    return null;
  }
}

/** Text columns that hold JSON. */
export function jsonColumnsOf(schema: TableSchema): ReadonlySet<string> {
  const json = schema.columns.filter(column => column.type === 'json').map(column => column.name);
  return new Set([...json, '_headers', '_extra']);
}
