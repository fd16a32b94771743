import type { SqlResult } from '../server/index.ts';
import type { CliContext } from './context.ts';
import { oneLine, printLine, terminalWidth } from './output.ts';

const GAP = 2;
const MIN_WIDTH = 6;
const NUMERIC = /^(U?(TINY|SMALL|HUGE|BIG)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*)$/;

/** A cell as a person or a CSV file reads it: texts without quotes, everything else as JSON; NULL is empty in a file. */
export function cellText(cell: unknown, nullText: string): string {
  if (cell === null) return nullText;
  return typeof cell === 'string' ? cell : JSON.stringify(cell);
}

/** Rows under headings, numbers to the right; on a terminal the widest columns give way until a row fits a line. */
export function printSqlTable(context: CliContext, { columns, rows }: SqlResult): void {
  const texts = rows.map(row => row.map(cell => oneLine(cellText(cell, 'NULL'))));
  const names = columns.map(column => oneLine(column.name));
  const widest = names.map((name, column) => texts.reduce((width, row) => Math.max(width, row[column].length), name.length));
  const widths = fittedWidths(widest, terminalWidth(context));
  const isRight = columns.map(({ type }) => NUMERIC.test(type));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => padded(cut(cell, widths[column]), widths[column], isRight[column]))
      .join(' '.repeat(GAP))
      .trimEnd();
  printLine(context, line(names));
  printLine(context, widths.map(width => '─'.repeat(width)).join(' '.repeat(GAP)));
  for (const row of texts) printLine(context, line(row));
}

/** Takes from the widest columns first, down to a width at which something can still be read. */
function fittedWidths(widest: readonly number[], width: number): number[] {
  const room = width - GAP * (widest.length - 1);
  const sum = (limit: number): number => widest.reduce((total, each) => total + Math.min(each, limit), 0);
  let limit = Math.max(...widest, MIN_WIDTH);
  while (limit > MIN_WIDTH && sum(limit) > room) limit--;
  return widest.map(each => Math.min(each, limit));
}

function padded(text: string, width: number, isRight: boolean): string {
  return isRight ? text.padStart(width) : text.padEnd(width);
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
