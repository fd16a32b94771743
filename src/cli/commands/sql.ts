import { type Command, Option } from 'commander';
import type { SqlOptions as SqlQueryOptions, SqlResult } from '../../server/index.ts';
import { parseCount } from '../arguments.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { printJson, printLine } from '../output.ts';
import { cellText, printSqlTable } from '../sql-table.ts';

type SqlFormat = 'table' | 'json' | 'ndjson' | 'csv';

interface SqlOptions extends CommonOptions {
  format: SqlFormat;
  limit?: number;
  deadline?: number;
  asOf?: string;
  atLeast?: string;
}

export function addSqlCommand(program: Command, context: CliContext): void {
  const command = program
    .command('sql')
    .description('run a SELECT over streams; each stream is a table of its name')
    .argument('<query>', 'the query, in quotes')
    .addOption(
      new Option('--format <format>', 'how to print the rows').choices(['table', 'json', 'ndjson', 'csv']).default('table'),
    )
    .option('--limit <count>', 'rows at most; more is an error (default: 10000)', parseCount)
    .option('--deadline <ms>', 'time the query may take (default: 30000)', parseCount)
    .addOption(new Option('--as-of <time or token>', 'the state at that moment').conflicts('atLeast'))
    .option('--at-least <token>', 'include everything this token names')
    .action((query: string, options: SqlOptions) => sql(query, options, context));
  addCommonOptions(command, context);
  addExamples(command, [
    'sql "SELECT status, count(*) FROM tickets GROUP BY ALL"',
    'sql "FROM orders WHERE price > 100" --format csv > orders.csv',
    'sql "DESCRIBE orders"',
  ]);
}

function sql(query: string, options: SqlOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ reader }) => {
    const answer = await reader.sql(query, queryOptions(options));
    print(context, options.json === true ? 'json' : options.format, answer);
  });
}

function queryOptions({ limit, deadline, asOf, atLeast }: SqlOptions): SqlQueryOptions {
  const consistency = asOf === undefined ? (atLeast === undefined ? undefined : { atLeast }) : { asOf };
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(deadline === undefined ? {} : { deadlineMs: deadline }),
    ...(consistency === undefined ? {} : { consistency }),
  };
}

function print(context: CliContext, format: SqlFormat, answer: SqlResult): void {
  const names = answer.columns.map(column => column.name);
  switch (format) {
    case 'json':
      printJson(context, answer);
      return;
    case 'ndjson':
      for (const row of answer.rows)
        printLine(context, `{${row.map((cell, at) => `${JSON.stringify(names[at])}:${JSON.stringify(cell)}`).join(',')}}`);
      return;
    case 'csv':
      for (const row of [names, ...answer.rows]) printLine(context, row.map(cell => csvField(cellText(cell, ''))).join(','));
      return;
    case 'table':
      printSqlTable(context, answer);
      printLine(context, summary(answer));
  }
}

/** RFC 4180. */
function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function summary({ rows, freshness }: SqlResult): string {
  const streams = Object.values(freshness);
  const tailRows = streams.reduce((sum, stream) => sum + stream.tailRows, 0);
  const asOf = streams.length === 0 ? '' : `; as of ${streams[0].asOf}; ${tailRows} records of the tail considered`;
  return `${rows.length === 1 ? '1 row' : `${rows.length} rows`}${asOf}`;
}
