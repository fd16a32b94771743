import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TailwaterClient } from '../../src/client.ts';
import type { QueryAnswer } from '../../src/index.ts';
import { Tailwater } from '../../src/index.ts';
import { installBuilt, typeCheck } from './built-package.ts';
import { commandsOf, fencedBlocks, inlineCode, relativeLinks } from './markdown.ts';
import { STEPS, Tour } from './readme-tour.ts';
import { ROOT, useShell } from './shell.ts';

const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const CONTRIBUTING = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
const SCRIPTS: Record<string, string> = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts;
/** Each starts about twenty processes, or the demo: some 15 s on two idle cores. */
const SLOW_MS = 180_000;
const HAS_CURL = (process.env.PATH ?? '').split(':').some(folder => existsSync(join(folder, 'curl')));

const blocks = fencedBlocks(README);
const commands = blocks.filter(block => block.language === 'sh').flatMap(commandsOf);
const [demo, ...others] = commands.filter(command => command.startsWith('npm'));
const tour = commands.filter(command => !command.startsWith('npm'));

const docs = useShell();

describe('the README', () => {
  test('has no block or command that is not checked here', () => {
    expect(blocks.map(block => block.language).filter(language => !['sh', 'ts'].includes(language))).toEqual([]);
    expect(blocks.filter(block => block.language === 'ts')).toHaveLength(1);
    const checks = tour.map(command => STEPS.filter(step => step.command.test(command)).map(step => STEPS.indexOf(step)));
    expect(checks, tour.join('\n')).toEqual(STEPS.map((_, index) => [index]));
    expect([demo, ...others]).toEqual(['npm ci && npm run demo', 'npm ci && npm test']);
    expect(SCRIPTS.test).toBe('vitest run');
  });

  test('shows an agent’s context before and after with its first command', { timeout: SLOW_MS }, async () => {
    const { code, stdout, stderr } = await docs.shell.run(demo.replace('npm ci && ', ''), ROOT);
    expect(code, stderr).toBe(0);
    const [before, after, compacted] = ['before', 'a moment after', 'after compaction'].map(moment => contextIn(stdout, moment));
    expect(before).toMatch(/order +\[\w+\] .*, (?!delivered)\w+$/m);
    expect(after).toMatch(/order +\[tail\] .*, delivered$/m);
    expect(after).toMatch(/ticket +\[tail\] .*no refund needed/);
    expect(compacted).toMatch(/order +\[table\] .*, delivered$/m);
    for (const context of [before, after, compacted]) {
      for (const stream of ['orders', 'tickets', 'docs']) {
        expect(context).toMatch(new RegExp(`${stream} +newest row \\d+ ms old, \\d+ rows from the tail, complete: true`));
      }
      expect(context).toMatch(/doc +\[(tail|table)\] /);
    }
    const uncompacted = [...stdout.matchAll(/orders: (\d+) rows, (\d+) records not compacted/g)].map(match => Number(match[2]));
    expect(
      uncompacted.some((lag, index) => index > 0 && lag < index * 1000),
      'compactions ran while events came',
    ).toBe(true);
  });

  test('takes a new user through its tour, every command in order', { timeout: SLOW_MS }, async () => {
    if (!HAS_CURL) {
      console.info('curl is not on the PATH: the tour of the README was left out. Install curl to include it.');
      return;
    }
    const walk = new Tour(docs.shell);
    for (const command of tour) await STEPS.find(step => step.command.test(command))!.check(walk, command);
    await checkFaces(walk);
    await checkConsistencies(walk);
    expect(await walk.server!.interrupt()).toBe(0);
  });

  test('has code that compiles and runs with the package as it is published', { timeout: SLOW_MS }, async () => {
    const app = docs.shell.cwd;
    await installBuilt(app);
    const code = blocks.find(block => block.language === 'ts')!.text;
    const before = `import { TailwaterClient } from 'tailwater/client';\ndeclare const console: { log(text: string): void };\n`;
    const after = `\nconsole.log(JSON.stringify({ hits, freshness, client: typeof TailwaterClient.prototype.query }));\n`;
    await writeFile(join(app, 'from-code.ts'), before + code + after);
    await typeCheck(app, ['from-code.ts']);
    const { code: status, stdout, stderr } = await docs.shell.run(`'${process.execPath}' from-code.ts`);
    expect(status, stderr).toBe(0);
    const { hits, freshness, client }: QueryAnswer & { client: string } = JSON.parse(stdout);
    expect(client).toBe('function');
    expect(hits[0]).toMatchObject({ id: 'T-3', tier: 'tail', value: { text: 'Where is my refund?' } });
    expect(freshness.complete).toBe(true);
    const built = await docs.shell.run(`'${process.execPath}' node_modules/tailwater/bin/tailwater.js compact tickets`);
    expect(built).toMatchObject({ code: 0, stdout: expect.stringMatching(/^tickets: \d rows, /) });
  });

  test('says rightly that the client has the methods of the engine', () => {
    const methods = methodsOf(Tailwater);
    expect(methods.length).toBeGreaterThan(10);
    expect(methods.filter(name => !methodsOf(TailwaterClient).includes(name))).toEqual([]);
  });
});

describe('the README and CONTRIBUTING', () => {
  test.each([
    ['README.md', README],
    ['CONTRIBUTING.md', CONTRIBUTING],
  ])('name scripts, files and folders that exist: %s', (_name, text) => {
    expect(relativeLinks(text).filter(target => !existsSync(join(ROOT, target)))).toEqual([]);
    const top = new Set(
      execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' })
        .split('\n')
        .map(path => path.split('/')[0]),
    );
    const places = inlineCode(text).filter(
      code => /^[\w.-]+(\/[\w.-]+)*\/?$/.test(code) && code.includes('/') && top.has(code.split('/')[0]),
    );
    expect(places.filter(place => !existsSync(join(ROOT, place)))).toEqual([]);
    const scripts = [...text.matchAll(/npm run (\w[\w-]*)/g)].map(match => match[1]);
    expect(scripts.filter(name => !(name in SCRIPTS))).toEqual([]);
  });

  test('CONTRIBUTING has no command but the installation, the tests and the check', () => {
    const found = fencedBlocks(CONTRIBUTING).flatMap(commandsOf);
    expect(found).toEqual(['npm ci', 'npm test', 'npm run check']);
    for (const part of ['npm run types', 'npm run lint', 'npm run dead-code', 'vitest run test/repo']) {
      expect(SCRIPTS.check).toContain(part);
    }
  });
});

/** "GET /openapi.json describes every route, /metrics speaks Prometheus, and npx tailwater --help lists the commands." */
async function checkFaces(walk: Tour): Promise<void> {
  const { paths } = await walk.get<{ paths: Record<string, object> }>('/openapi.json');
  expect(paths).toHaveProperty(['/v1/streams/{stream}/query', 'post']);
  expect((await walk.run('curl -s localhost:8787/metrics')).stdout).toMatch(/^# TYPE tailwater_\w+ (counter|gauge|histogram)$/m);
  const help = (await walk.run('npx tailwater --help')).stdout;
  for (const command of tour) {
    const name = /^npx tailwater (\w+)/.exec(command)?.[1];
    if (name !== undefined) expect(help).toMatch(new RegExp(`^ {2}${name} `, 'm'));
  }
}

/** Every row of the table of consistencies is one that a query takes. */
async function checkConsistencies(walk: Tour): Promise<void> {
  const forms = inlineCode(README).filter(code => code.startsWith('{"'));
  expect(forms.map(form => /^\{"(\w+)"/.exec(form)?.[1])).toEqual(['strong', 'atLeast', 'maxStalenessMs', 'asOf']);
  const { token } = await walk.get<QueryAnswer>('/v1/streams/tickets/records');
  for (const form of forms) {
    const values = form.includes('token') ? [JSON.stringify(token)] : ['5'];
    if (form.includes('or time')) values.push(JSON.stringify(new Date().toISOString()));
    for (const value of values) {
      const consistency = form.replace(/token or time|token|\bn\b/, value);
      const body = `{"text": "parcel", "consistency": ${consistency}}`;
      const { hits } = await walk.json<QueryAnswer>(
        `curl -s -X POST localhost:8787/v1/streams/tickets/query -H 'content-type: application/json' -d '${body}'`,
      );
      expect(hits[0], consistency).toMatchObject({ id: 'T-1', value: { text: 'The parcel arrived, thank you' } });
    }
  }
}

function contextIn(output: string, moment: string): string {
  const sections = output.split(/^── /m).filter(section => new RegExp(`^[^\\n]*${moment} ──`).test(section));
  expect(sections, output).toHaveLength(1);
  return sections[0];
}

function methodsOf(type: { prototype: object }): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(type.prototype))
    .filter(([name, { value }]) => typeof value === 'function' && name !== 'constructor')
    .map(([name]) => name);
}
