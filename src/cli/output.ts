import { asTailwaterError, ERROR_KINDS } from '../base/index.ts';
import type { CliContext } from './context.ts';

export function printLine({ stdout }: CliContext, text: string): void {
  stdout.write(`${text}\n`);
}

export function printJson(context: CliContext, value: unknown): void {
  printLine(context, JSON.stringify(value));
}

/** An error as a person reads it: its code, what happened, what to do. With --json, the problem document. */
export function printError({ stderr }: CliContext, error: unknown, json: boolean): void {
  const problem = asTailwaterError(error);
  if (json) stderr.write(`${JSON.stringify(problem.toProblem())}\n`);
  else stderr.write(`${problem.code}: ${problem.message}\n  ${ERROR_KINDS[problem.code].action}\n`);
}

const GAP = '  ';
const UNBOUNDED_WIDTH = 10_000;
const MIN_LAST_WIDTH = 20;

/** Rows under headings, columns as wide as their widest cell; on a terminal the last column is cut to fit a line. */
export function printTable(context: CliContext, headings: readonly string[], rows: readonly (readonly string[])[]): void {
  const clean = rows.map(row => row.map(oneLine));
  const widths = headings.map((heading, column) => Math.max(heading.length, ...clean.map(row => row[column].length)));
  const last = headings.length - 1;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP.length, 0);
  widths[last] = Math.max(MIN_LAST_WIDTH, terminalWidth(context) - before);
  for (const row of [headings, ...clean]) {
    const cells = row.map((cell, column) => (column === last ? cut(cell, widths[column]) : cell.padEnd(widths[column])));
    printLine(context, cells.join(GAP).trimEnd());
  }
}

/** Cut to the width of the terminal; whole in a pipe. */
export function fitted(context: CliContext, text: string): string {
  return cut(oneLine(text), terminalWidth(context));
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} days`;
}

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${units[power - 1]}`;
}

export function terminalWidth({ stdout }: CliContext): number {
  return stdout.isTTY === true ? (stdout.columns ?? 80) : UNBOUNDED_WIDTH;
}

/** Control characters would let a record's text write on the terminal as it likes. */
export function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
