import { byteString, fromUtf8, isJsonObject, type JsonValue } from '../base/index.ts';
import type { TableRow } from '../lakehouse/index.ts';
import { analyze, type StreamDefinition, searchText, type TailSnapshot } from '../streams/index.ts';
import type { TableView } from './table-view.ts';

/** What the table rows hidden by newer tail versions of their keys contribute to the table's counts and statistics. */
export interface ShadowedTotals {
  rows: number;
  documents: number;
  tokens: number;
  /** Rows that contain the term, per asked term. */
  frequencies: number[];
}

/**
 * Accounts for the table rows that the tail of an upsert stream hides, so that rows and term statistics of tail and table add
 * up exactly (R3, R4). Kept per table state, extended as keys enter the tail; each key is looked up at most once.
 */
export class ShadowedRows {
  readonly #definition: StreamDefinition;
  readonly #view: TableView;
  readonly #seen = new Set<string>();
  readonly #frequencies = new Map<string, number>();
  #throughSegment: number;
  #rows = 0;
  #documents = 0;
  #tokens = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(definition: StreamDefinition, view: TableView) {
    this.#definition = definition;
    this.#view = view;
    this.#throughSegment = view.state.logSeq;
  }

  /** Totals for a cut of the tail above the table state, with the row counts of these terms. Calls take turns, in order. */
  totals(tail: TailSnapshot, terms: readonly string[]): Promise<ShadowedTotals> {
    const turn = this.#turn.then(() => this.#totalsAt(tail, terms));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #totalsAt(tail: TailSnapshot, terms: readonly string[]): Promise<ShadowedTotals> {
    if (tail.throughSegment < this.#throughSegment) {
      // An earlier instant than already accounted for: rare, so it is counted on its own.
      return new ShadowedRows(this.#definition, this.#view).totals(tail, terms);
    }
    if (tail.throughSegment > this.#throughSegment) await this.#extend(tail);
    return {
      rows: this.#rows,
      documents: this.#documents,
      tokens: this.#tokens,
      frequencies: terms.map(term => this.#frequencies.get(term) ?? 0),
    };
  }

  async #extend(tail: TailSnapshot): Promise<void> {
    const names: string[] = [];
    const keys: Uint8Array[] = [];
    for (const { key } of tail.shadowingKeys(this.#throughSegment)) {
      const name = byteString(key);
      if (this.#seen.has(name) || !this.#view.statistics.mayHaveKey(key)) continue;
      names.push(name);
      keys.push(key);
    }
    const rows = keys.length === 0 ? [] : await this.#view.version.byKeys(keys);
    for (const name of names) this.#seen.add(name);
    for (const row of rows) this.#add(row);
    this.#throughSegment = tail.throughSegment;
  }

  #add(row: TableRow): void {
    this.#rows++;
    const value: JsonValue = row.value === null ? null : JSON.parse(fromUtf8(row.value));
    const text = isJsonObject(value) ? searchText(this.#definition, value) : null;
    if (text === null) return;
    const tokens = analyze(text);
    for (const term of new Set(tokens)) this.#frequencies.set(term, (this.#frequencies.get(term) ?? 0) + 1);
    this.#documents++;
    this.#tokens += tokens.length;
  }
}
