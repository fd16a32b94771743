import { crc32c, fromUtf8, isJsonObject, type JsonValue, TailwaterError, utf8 } from '../../base/index.ts';
import { Cell } from '../aggregate/cell.ts';
import type { Input } from '../aggregate/fold.ts';
import type { ViewPlan } from '../plan.ts';
import { EntityState, type SupersededRow } from './entity-state.ts';
import { type Row, RowBlocks } from './row-blocks.ts';
import { type KeyVersions, ViewState, type ViewStateOptions } from './view-state.ts';

const FORMAT_VERSION = 1;

/** Before the time of an event that was never given up: JSON has no infinity. */
type EncodedTime = number | null;
type EncodedRow = [timeMs: number, seq: number, inputs: (Input | null)[]];
type EncodedEntity = [name: string, rows: EncodedRow[], horizonMs: EncodedTime, base: JsonValue[] | null];
type EncodedSuperseded = [entity: string, row: EncodedRow, untilMs: number];
type EncodedKey = [key: string, entity: string | null, current: [number, number] | null, superseded: EncodedSuperseded[]];

/**
 * The state of a view as bytes: a line with the format, the view's version, the length and the crc32c of what follows; then JSON. Rows and what
 * lifetime windows hold of rows that were given up are written, summaries are not: they are computed of rows when asked for.
 */
export function encodeViewState(state: ViewState): Uint8Array {
  state.sweep();
  const { events, skipped } = state.stats();
  const body = utf8(
    JSON.stringify({
      logTimeMs: Number.isFinite(state.logTimeMs) ? state.logTimeMs : null,
      events,
      skipped,
      entities: [...state.entities()].map(([name, entity]) => encodeEntity(name, entity)),
      keys: [...state.keys()].map(([key, versions]) => encodeKey(key, versions)),
    }),
  );
  const header = { tailwaterFeatureState: FORMAT_VERSION, version: state.plan.version, bytes: body.length, crc32c: crc32c(body) };
  return Buffer.concat([utf8(`${JSON.stringify(header)}\n`), body]);
}

/** Throws TW_DATA_DAMAGED and TW_FORMAT_TOO_NEW; null when the state is of another version of the view. */
export function decodeViewState(bytes: Uint8Array, plan: ViewPlan, options: ViewStateOptions): ViewState | null {
  const lineEnd = bytes.indexOf(0x0a);
  const header = lineEnd < 0 ? null : parse(bytes.subarray(0, lineEnd));
  if (!isJsonObject(header) || typeof header.tailwaterFeatureState !== 'number') throw damaged('It does not begin as one.');
  if (header.tailwaterFeatureState > FORMAT_VERSION) {
    throw new TailwaterError('TW_FORMAT_TOO_NEW', { detail: `The state of a view has format ${header.tailwaterFeatureState}.` });
  }
  const body = bytes.subarray(lineEnd + 1);
  if (body.length !== header.bytes || crc32c(body) !== header.crc32c) throw damaged('Its checksum does not match.');
  if (header.version !== plan.version) return null;
  return restored(parse(body), plan, options);
}

interface EncodedState {
  logTimeMs: EncodedTime;
  events: number;
  skipped: number;
  entities: EncodedEntity[];
  keys: EncodedKey[];
}

function restored(body: unknown, plan: ViewPlan, options: ViewStateOptions): ViewState {
  const { logTimeMs, events, skipped, entities, keys } = body as EncodedState;
  const state = new ViewState(plan, options);
  state.restoreCounts({ logTimeMs: timeOf(logTimeMs), events, skipped });
  const superseded = new Map<string, SupersededRow[]>();
  const versions = keys.map(key => [key, supersededOf(key, superseded)] as const);
  for (const [name, rows, horizonMs, base] of entities) {
    const entity = new EntityState(plan, RowBlocks.of(plan.measures, rows.map(rowOf), options.blockRows));
    entity.restore(base === null ? null : cellsOf(plan, base), timeOf(horizonMs), superseded.get(name) ?? []);
    state.restoreEntity(name, entity);
  }
  for (const [[key, entity, current], kept] of versions) {
    const row = current === null ? null : state.peek(entity!)?.rows.find(...current);
    state.restoreKey(key, { entity, current: row ?? null, superseded: kept });
  }
  return state;
}

function supersededOf([, , , rows]: EncodedKey, into: Map<string, SupersededRow[]>): KeyVersions['superseded'] {
  return rows.map(([entity, encoded, untilMs]) => {
    const row = { ...rowOf(encoded), untilMs };
    into.set(entity, [...(into.get(entity) ?? []), row]);
    return { entity, row };
  });
}

function encodeEntity(name: string, entity: EntityState): EncodedEntity {
  const base = entity.base === null ? null : Array.from(entity.base, cell => cell?.encode() ?? null);
  return [name, Array.from(entity.rows, encodeRow), Number.isFinite(entity.horizonMs) ? entity.horizonMs : null, base];
}

function encodeKey(key: string, { entity, current, superseded }: KeyVersions): EncodedKey {
  return [
    key,
    entity,
    current === null ? null : [current.timeMs, current.seq],
    superseded.map(({ entity: owner, row }) => [owner, encodeRow(row), row.untilMs]),
  ];
}

function encodeRow({ timeMs, seq, inputs }: Row): EncodedRow {
  return [timeMs, seq, [...inputs]];
}

function rowOf([timeMs, seq, inputs]: EncodedRow): Row {
  return { timeMs, seq, inputs };
}

function cellsOf(plan: ViewPlan, base: JsonValue[]): Cell[] {
  const cells: Cell[] = [];
  for (const measure of plan.lifetime) cells[measure] = Cell.restore(plan.measures[measure].aggregation, base[measure] ?? null);
  return cells;
}

function timeOf(encoded: EncodedTime): number {
  return encoded ?? Number.NEGATIVE_INFINITY;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(bytes));
  } catch (cause) {
    throw damaged('It is not JSON.', cause);
  }
}

function damaged(why: string, cause?: unknown): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', { detail: `The state of a feature view cannot be read. ${why}`, cause });
}
