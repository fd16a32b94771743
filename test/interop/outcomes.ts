import { linesOf, type Row } from './fixtures.ts';
import type { Ran } from './programs.ts';
import type { Expected } from './specification.ts';

/** One line of the table in docs/INTEROP.md. */
export interface Outcome {
  engine: string;
  version: string;
  operation: string;
  ok: boolean;
  result: string;
}

type Printed = { engine: string; version: string } | { operation: string; value: unknown } | { operation: string; error: string };

/** Compares what a script printed with what is expected of each of its operations. An operation that is not reported is a failure. */
export function outcomesOf(name: string, ran: Ran, expected: Expected): Outcome[] {
  const printed = ran.stdout
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as Printed);
  const about = printed.find(line => 'engine' in line) ?? { engine: name, version: 'unknown' };
  const results = new Map(printed.flatMap(line => ('operation' in line ? [[line.operation, line] as const] : [])));
  return Object.entries(expected).map(([operation, value]) => {
    const found = results.get(operation);
    const fault = found === undefined ? `not reached: ${ran.stderr.trim().slice(-600)}` : faultOf(found, value);
    return {
      engine: about.engine,
      version: about.version,
      operation,
      ok: fault === null,
      result: fault ?? described(operation, value),
    };
  });
}

function faultOf(found: object, expected: unknown): string | null {
  if ('error' in found) return String(found.error);
  const value = 'value' in found ? found.value : undefined;
  return differenceOf(value, expected);
}

/** Null when an engine found what is expected: rows in any order. */
export function differenceOf(value: unknown, expected: unknown): string | null {
  if (!isLines(expected)) {
    const [one, other] = [canonical(value), canonical(expected)];
    return one === other ? null : `found ${one}, expected ${other}`;
  }
  const lines = linesOf(value as Row[]);
  if (lines.length !== expected.length) return `${lines.length} rows, expected ${expected.length}`;
  const at = lines.findIndex((line, index) => line !== expected[index]);
  return at < 0 ? null : `row ${at} is ${lines[at]}, expected ${expected[at]}`;
}

/** What it means that an operation gave what was expected. */
const MEANINGS: Readonly<Record<string, string>> = {
  list: 'the same tables',
  'attach and list': 'the same tables',
  types: 'the same types',
  "append to a stream's table": 'refused as a conflict; nothing changed',
  "rewrite_data_files of streams' tables": 'the same rows in other files',
  'racing commits': 'one wins, the other is told so',
};

export function described(operation: string, expected: unknown): string {
  return isLines(expected) ? `the same ${expected.length} rows` : (MEANINGS[operation] ?? 'done, and read back');
}

function isLines(expected: unknown): expected is string[] {
  return Array.isArray(expected) && expected.every(line => typeof line === 'string' && line.startsWith('['));
}

/** The last level of a name is enough, and zones of the same time are one. */
function canonical(value: unknown): string {
  const text = JSON.stringify(value, (_key, each) =>
    typeof each === 'object' && each !== null && !Array.isArray(each) ? Object.fromEntries(Object.entries(each).sort()) : each,
  );
  return text.replaceAll('"tailwater.', '"').replaceAll('tz=Etc/UTC', 'tz=UTC');
}
