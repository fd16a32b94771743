import { TailwaterError } from '../../base/index.ts';

/**
 * The `_layout` of a row: what the columns do not say about the JSON text of the value. Most rows need none.
 *
 * ```
 * layout  = null            the fields that are not null, in column order, compact: {"a":1,"b":2}
 *         | "-"             there is no value (a tombstone)
 *         | "s"             as null, but spaced: {"a": 1, "b": 2}
 *         | ["s"] tokens    exactly these fields in this order
 * tokens  = token {"," token}
 * token   = column | column "-" column                    the column's value; a run of columns, those that are not null
 *         | column "n" | column "f"                       JSON null; a number written with a trailing ".0"
 *         | "+"                                           the next field of `_extra` at this level
 *         | "(" group | ")"                               into the object with this number (groups of the schema), and out of it
 * ```
 */
export type LayoutStep =
  | { kind: 'columns'; first: number; last: number }
  | { kind: 'null' | 'fraction'; column: number }
  | { kind: 'extra' | 'leave' }
  | { kind: 'enter'; group: number };

export interface Layout {
  spaced: boolean;
  /** Null: the default order. */
  steps: LayoutStep[] | null;
}

export const NO_VALUE = '-';

/** Collects the steps of one row while it is taken apart, and remembers whether they differ from the default order. */
export class LayoutWriter {
  readonly #tokens: string[] = [];
  #runFirst = -1;
  #runLast = -1;
  #highest = -1;
  #isDefault = true;

  reset(): void {
    this.#tokens.length = 0;
    this.#runFirst = -1;
    this.#runLast = -1;
    this.#highest = -1;
    this.#isDefault = true;
  }

  column(column: number): void {
    if (column < this.#highest) this.#isDefault = false;
    this.#highest = column;
    if (column === this.#runLast + 1 && this.#runFirst >= 0) {
      this.#runLast = column;
    } else {
      this.#endRun();
      this.#runFirst = column;
      this.#runLast = column;
    }
  }

  null(column: number): void {
    this.#special(`${column}n`);
  }

  fraction(column: number): void {
    this.#special(`${column}f`);
  }

  extra(): void {
    this.#special('+');
  }

  enter(group: number): void {
    this.#endRun();
    this.#tokens.push(`(${group}`);
  }

  leave(empty: boolean): void {
    this.#endRun();
    this.#tokens.push(')');
    if (empty) this.#isDefault = false;
  }

  /** Null for the default. */
  finish(spaced: boolean): string | null {
    if (this.#isDefault) return spaced ? 's' : null;
    this.#endRun();
    const tokens = this.#tokens.join(',');
    return spaced ? `s${tokens}` : tokens;
  }

  #special(token: string): void {
    this.#endRun();
    this.#tokens.push(token);
    this.#isDefault = false;
  }

  #endRun(): void {
    if (this.#runFirst < 0) return;
    this.#tokens.push(this.#runFirst === this.#runLast ? `${this.#runFirst}` : `${this.#runFirst}-${this.#runLast}`);
    this.#runFirst = -1;
    this.#runLast = -1;
  }
}

export function parseLayout(text: string): Layout {
  const spaced = text.startsWith('s');
  const tokens = spaced ? text.slice(1) : text;
  if (tokens === '') return { spaced, steps: null };
  return { spaced, steps: tokens.split(',').map(token => parseToken(token, text)) };
}

function parseToken(token: string, layout: string): LayoutStep {
  if (token === '+') return { kind: 'extra' };
  if (token === ')') return { kind: 'leave' };
  const parts = /^(\()?(\d+)(?:-(\d+)|([nf]))?$/.exec(token);
  if (parts === null)
    throw new TailwaterError('TW_DATA_DAMAGED', { detail: `A row's layout is not readable: ${layout.slice(0, 100)}.` });
  const number = Number(parts[2]);
  if (parts[1] !== undefined) return { kind: 'enter', group: number };
  if (parts[4] !== undefined) return { kind: parts[4] === 'n' ? 'null' : 'fraction', column: number };
  return { kind: 'columns', first: number, last: parts[3] === undefined ? number : Number(parts[3]) };
}
