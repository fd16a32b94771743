import { type JsonObject, type JsonValue, TailwaterError, valueAt } from '../../base/index.ts';
import { entityOfValue } from '../state/entity-key.ts';

/** An entity and an instant to compute features for. */
export interface SpineRow {
  /** Its place in the request. */
  index: number;
  entity: string;
  timeMs: number;
  /** The whole row: values for on-demand features. */
  values: JsonObject;
}

const ISO_TIME = /^\d{4}-\d\d-\d\d(T.*)?$/;

/** Throws TW_SPINE naming the first row that has no entity or no time. */
export function spineOf(fields: readonly string[], timeField: string, rows: readonly JsonObject[]): SpineRow[] {
  return rows.map((values, index) => {
    const entity = entityOfValue(fields, values);
    if (entity === null) throw badRow(index, `has no ${fields.join(', ')}`);
    return { index, entity, timeMs: timeOf(valueAt(values, timeField), timeField, index), values };
  });
}

/** Throws TW_SPINE when a row has a member that a feature would overwrite. */
export function requireFree(columns: readonly string[], rows: readonly JsonObject[]): void {
  const taken = new Set(columns);
  for (const [index, row] of rows.entries()) {
    const name = Object.keys(row).find(member => taken.has(member));
    if (name !== undefined) throw badRow(index, `has "${name}", which is the name of a feature`);
  }
}

function timeOf(time: JsonValue | undefined, field: string, index: number): number {
  if (time === undefined || time === null) throw badRow(index, `has no "${field}"`);
  const timeMs =
    typeof time === 'number' ? time : typeof time === 'string' && ISO_TIME.test(time) ? Date.parse(time) : Number.NaN;
  if (!Number.isFinite(timeMs)) {
    throw badRow(index, `has ${JSON.stringify(time).slice(0, 100)} as "${field}"; it must be ISO 8601 or milliseconds`);
  }
  return Math.floor(timeMs);
}

function badRow(index: number, problem: string): TailwaterError {
  return new TailwaterError('TW_SPINE', { detail: `Row ${index} ${problem}.`, data: { row: index } });
}
