import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fencedBlocks } from '../docs/markdown.ts';
import { type Environment, prepareEnvironment } from './environment.ts';
import { fillEvents, fillNotes, fillReadings, fillUsers } from './fixtures.ts';
import { fetchingFiles, ICEBIRD_VERSION, icebirdRows } from './icebird-engine.ts';
import { type RunningNode, startNode } from './node.ts';
import { described, differenceOf, type Outcome, outcomesOf } from './outcomes.ts';
import { run } from './programs.ts';
import { writeReport } from './report.ts';
import { type Expected, expectedOf, type Specification, specificationOf } from './specification.ts';

const GUIDE = fileURLToPath(new URL('../../docs/ICEBERG.md', import.meta.url));

let environment: Environment;
let node: RunningNode;
let spec: Specification;
let expected: Expected;
const outcomes: Outcome[] = [];
const leftOut: string[] = [];

beforeAll(async () => {
  environment = await prepareEnvironment();
  node = await startNode();
  await fillEvents(node.client);
  await fillUsers(node.client);
  await fillReadings(node.client);
  const notesBefore = await fillNotes(node.client);
  spec = await specificationOf(node, notesBefore);
  expected = await expectedOf(node.client, spec.columns);
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
  for (const line of leftOut) console.info(`left out: ${line}`);
  const engines = new Set(outcomes.map(({ engine }) => engine));
  if (engines.size === SCRIPTS.length + OTHERS && outcomes.every(({ ok }) => ok)) await writeReport(outcomes);
  else console.info('docs/INTEROP.md was left as it is: it is written when every engine agrees.');
});

/** What Spark does to the tables of streams. */
const REWRITE = "rewrite_data_files of streams' tables";
const AFTER = ' after the rewrite';

/** What a script does beyond reading, and what comes of it. */
const OWN = {
  pyiceberg: {
    'write a table of its own': {
      owner: 'lab',
      rows: [
        { id: 1, stars: null, town: 'Malmö' },
        { id: 3, stars: null, town: null },
        { id: 4, stars: null, town: 'Turku' },
        { id: 5, stars: null, town: 'Riga' },
        { id: 6, stars: null, town: 'Oslo' },
      ],
      start: 3,
    },
    'racing commits': { columns: ['id', 'note'], refused: true },
    'rename and drop': { exists: false, listed: ['lab.renamed', 'lab.visits'], notEmpty: true },
  },
  duckdb: { 'attach and list': ['events', 'readings', 'users'], 'write a table of its own': [90, 1980] },
  spark: {
    'write a table of its own': [291, 20931, 2],
    'create table as select': 98,
    'rewrite_data_files and expire_snapshots': { fewerFiles: true, rows: 291, snapshots: 1 },
    [REWRITE]: Array.from({ length: 4 }, () => ({
      ...{ sameRows: true, noMoreFiles: true, otherFiles: true },
      ...{ operation: 'replace', watermark: true },
    })),
    'rename and drop': ['orders'],
  },
  trino: {
    'write a table that another client created': [191, 8956, 2],
    optimize: { fewerFiles: true, rows: 191 },
    'rename and drop': [],
  },
};

const READS = ['scan', 'types', 'filter', 'time travel', 'upserts and deletes', 'changes', 'schema evolution'];

const SCRIPTS: { name: string; script: string; packages: string[]; operations: string[]; own: Expected }[] = [
  {
    name: 'PyIceberg',
    script: 'pyiceberg_engine.py',
    packages: ['pyiceberg', 'pyarrow'],
    operations: ['list', ...READS, 'time filter', 'without the catalog', "append to a stream's table"],
    own: OWN.pyiceberg,
  },
  {
    name: 'Spark',
    script: 'spark_engine.py',
    packages: ['pyspark', 'spark'],
    operations: ['list', ...READS, 'time filter', "append to a stream's table", `scan${AFTER}`],
    own: OWN.spark,
  },
  {
    name: 'Trino',
    script: 'trino_engine.py',
    packages: ['trino'],
    operations: ['list', ...READS, 'time filter', "append to a stream's table"],
    own: OWN.trino,
  },
  {
    name: 'DuckDB',
    script: 'duckdb_engine.py',
    packages: ['duckdb', 'duckdb-extension-iceberg', 'duckdb-extension-avro', 'duckdb-extension-httpfs', 'duckdb-extensions'],
    operations: [...READS, 'without the catalog'],
    own: OWN.duckdb,
  },
  {
    name: 'Polars',
    script: 'polars_engine.py',
    packages: ['polars', 'pyiceberg'],
    operations: ['scan', 'filter', 'time travel', 'upserts and deletes', 'schema evolution'],
    own: {},
  },
  {
    name: 'ClickHouse',
    script: 'chdb_engine.py',
    packages: ['chdb'],
    operations: ['scan', 'filter', 'upserts and deletes', 'schema evolution'],
    own: {},
  },
];

/** pylance and icebird. */
const OTHERS = 2;

describe('engines that nobody here wrote find what the API says', () => {
  for (const { name, script, packages, operations, own } of SCRIPTS) {
    test(`${name} through the catalog, or from the files`, async () => {
      const wanted = { ...Object.fromEntries(operations.map(each => [each, expected[each.replace(AFTER, '')]])), ...own };
      await check(name, script, packages, wanted);
      // Whatever an engine did: the API says what it said before.
      expect(await expectedOf(node.client, spec.columns)).toEqual(expected);
    });
  }

  test('pylance opens Lance tables at the committed version', async () => {
    const { notes, 'notes before': before, 'notes filtered': filtered } = expected;
    const wanted = { 'scan at the committed version': notes, 'time travel': before, filter: filtered };
    await check('pylance', 'pylance_engine.py', ['pylance'], wanted);
  });

  test('icebird reads the tables that the catalog names', async () => {
    using _files = fetchingFiles();
    const tables = { scan: 'events', 'upserts and deletes': 'users', 'schema evolution': 'readings' };
    const found: Outcome[] = [];
    for (const [operation, table] of Object.entries(tables)) {
      const fault = differenceOf(await icebirdRows(spec, table), expected[operation]);
      const result = fault ?? described(operation, expected[operation]);
      found.push({ engine: 'icebird', version: ICEBIRD_VERSION, operation, ok: fault === null, result });
    }
    judge(found);
  });

  test('PyIceberg agrees with the table store about partitions, pruning and every snapshot', async () => {
    if (lacking(['pyiceberg']).length > 0) return;
    const folder = await mkdtemp(join(tmpdir(), 'tailwater-sample-'));
    const sample = await run(process.execPath, [pathOf('iceberg-sample.ts'), folder]);
    const agreed = await run(environment.python, [pathOf('iceberg_tables.py'), folder]);
    await rm(folder, { recursive: true, force: true });
    expect([sample.code, sample.stderr, agreed.code, agreed.stderr]).toEqual([0, '', 0, '']);
  });

  test('every program of the guide runs', async () => {
    const guide = await readFile(GUIDE, 'utf8');
    const programs = fencedBlocks(guide).filter(block => ['python', 'sql'].includes(block.language));
    expect(new Set(programs.map(block => block.language)).size).toBe(2);
    if (lacking(['pyiceberg', 'pyspark', 'spark', 'duckdb']).length > 0) return;
    for (const { text, line, language } of programs) {
      const program = text
        .replaceAll('http://127.0.0.1:8787', node.url)
        .replaceAll('ICEBERG_RUNTIME.jar', environment.icebergJar ?? '');
      const { code, stderr } = await run(
        environment.python,
        [language === 'sql' ? pathOf('engines/duckdb_guide.py') : '-'],
        program,
      );
      expect({ line, code, stderr: code === 0 ? '' : stderr.slice(-2000) }).toEqual({ line, code: 0, stderr: '' });
    }
  });
});

async function check(name: string, script: string, packages: readonly string[], wanted: Expected): Promise<void> {
  const [reason] = lacking(packages);
  if (reason !== undefined) {
    leftOut.push(`${name} (${reason})`);
    // Where everything is meant to be installed, leaving an engine out is a failure.
    expect(process.env.CI ? reason : undefined).toBeUndefined();
    return;
  }
  const path = pathOf(`engines/${script}`);
  const { icebergVersion, icebergJar } = environment;
  const trino = { ...environment.trino, catalog: await trinoCatalog() };
  const told = JSON.stringify({ ...spec, icebergVersion, icebergJar, trino });
  judge(outcomesOf(name, await run(environment.python, [path], told), wanted));
}

/** The catalog's properties, as the guide gives them. */
async function trinoCatalog(): Promise<string> {
  const blocks = fencedBlocks(await readFile(GUIDE, 'utf8')).filter(({ language }) => language === 'properties');
  expect(blocks).toHaveLength(1);
  return blocks[0].text.replaceAll('http://127.0.0.1:8787', node.url);
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

function judge(found: readonly Outcome[]): void {
  outcomes.push(...found);
  const faults = found.filter(each => !each.ok).map(({ operation, result }) => `${operation}: ${result}`);
  expect(faults).toEqual([]);
}

function lacking(packages: readonly string[]): string[] {
  return packages.flatMap(name => environment.missing.get(name) ?? []);
}
