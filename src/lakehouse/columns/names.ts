import type { TableColumn } from '../table-types.ts';

/** A table has at most this many user columns; further fields live in `_extra`. */
export const MAX_COLUMNS = 500;

const MAX_NAME_LENGTH = 120;

/** Names that engines give a meaning to: Lance's row id, address and search results. */
const TAKEN_NAMES: ReadonlySet<string> = new Set(['rowid', 'rowaddr', 'score', 'distance', 'relevance_score']);

/** Hands out column names: letters, digits and underscores, unique ignoring case, never with a leading underscore or digit. */
export class ColumnNames {
  readonly #used: Set<string>;

  constructor(columns: readonly TableColumn[]) {
    this.#used = new Set(columns.map(column => column.name.toLowerCase()));
  }

  take(path: string): string {
    const base = plainName(path);
    let name = base;
    for (let suffix = 2; this.#used.has(name.toLowerCase()); suffix++) name = `${base}_${suffix}`;
    this.#used.add(name.toLowerCase());
    return name;
  }
}

function plainName(path: string): string {
  const plain = path
    .slice(0, MAX_NAME_LENGTH)
    .normalize('NFC')
    .replaceAll(/[^\p{L}\p{N}_]/gu, '_');
  if (plain === '') return 'field';
  if (plain.startsWith('_')) return `u${plain}`;
  return /^\p{L}/u.test(plain) && !TAKEN_NAMES.has(plain.toLowerCase()) ? plain : `u_${plain}`;
}

/** The way from the root of the value to the column. */
export function columnSegments(column: TableColumn): string[] {
  return column.literal ? [column.path] : column.path.split('.');
}
