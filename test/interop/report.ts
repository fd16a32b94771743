import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Outcome } from './outcomes.ts';

const PATH = fileURLToPath(new URL('../../docs/INTEROP.md', import.meta.url));

const HEAD = `# Interoperability

What engines that nobody here wrote find in Tailwater's tables, and what they can write beside them. \`npm run test:interop\` starts a real node, fills
streams, compacts them, asks every engine for the same things, compares the answers row by row with those of Tailwater's own API, and writes this table.

A stream's table holds 2,500 rows in two partitions over five days (nulls, long integers, texts beyond ASCII); an upsert stream has replaced and
deleted keys; a third stream gains columns, and one of them widens from integers to floats. How each engine is connected is in [ICEBERG.md](ICEBERG.md).

ClickHouse reads a table's folder: its database over a REST catalog
lists the tables, and asks for credentials to read them, which tables in a folder do not have. DuckDB writes
no tables where the path of the data folder is not ASCII. Trino writes tables, and creates none: it wants a new table's folder to be empty, where the catalog has written the
table's metadata by then, or to choose the folder, which is the catalog's to choose. Trino needs Java 24 or newer; Spark runs on 17.

`;

export async function writeReport(outcomes: readonly Outcome[]): Promise<void> {
  const rows = outcomes.map(({ engine, version, operation, result }) => [engine, version, operation, result]);
  await writeFile(PATH, `${HEAD}${tableOf(['engine', 'version', 'operation', 'result'], rows)}\n`);
}

/** Markdown as the formatter leaves it: cells padded to their column. */
function tableOf(names: readonly string[], rows: readonly string[][]): string {
  const widths = names.map((name, at) => Math.max(name.length, ...rows.map(row => row[at].length)));
  const lineOf = (cells: readonly string[]): string => `| ${cells.map((cell, at) => cell.padEnd(widths[at])).join(' | ')} |`;
  return [names, widths.map(width => '-'.repeat(width)), ...rows].map(lineOf).join('\n');
}
