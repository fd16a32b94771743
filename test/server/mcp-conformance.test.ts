import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startFixture } from './mcp-fixture-server.ts';
import { REVISIONS, type Revision } from './mcp-support.ts';

const PACKAGE = dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json'));
const REQUIRED: Record<Revision, number> = { '2025-11-25': 30, '2026-07-28': 37 };
const SLOW_MS = 300_000;

/** The names under `server:` in the file of what a revision requires. */
async function requiredScenarios(revision: Revision): Promise<string[]> {
  const lines = (await readFile(join(PACKAGE, 'requirements', `${revision}.yaml`), 'utf8')).split('\n');
  const names: string[] = [];
  for (const line of lines.slice(lines.indexOf('server:') + 1)) {
    if (!line.startsWith('  - ')) break;
    names.push(line.slice(4).trim());
  }
  return names;
}

async function runSuite(url: string, revision: Revision): Promise<string> {
  const cwd = await mkdtemp(join(tmpdir(), 'tailwater-conformance-'));
  const args = [join(PACKAGE, 'dist', 'index.js'), 'server', '--url', url, '--requirements', revision];
  try {
    return await new Promise(resolve => {
      // The exit code also counts scenarios that no revision requires; what is required is checked by name.
      execFile(process.execPath, args, { cwd, maxBuffer: 64 * 1024 * 1024 }, (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      );
    });
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

/** Per scenario, its checks that failed. */
function failuresOf(output: string): Map<string, number> {
  const summary = output.slice(output.indexOf('=== SUMMARY ==='));
  const lines = summary.matchAll(/^[✓✗] ([\w-]+): (\d+) passed, (\d+) failed(.*)$/gm);
  return new Map(Array.from(lines, ([, name, passed, failed]) => [name, passed === '0' ? -1 : Number(failed)]));
}

describe('the conformance suite of the protocol', () => {
  test.each(REVISIONS)('passes every scenario that %s requires', { timeout: SLOW_MS }, async revision => {
    await using fixture = await startFixture();
    const output = await runSuite(fixture.url, revision);
    const failures = failuresOf(output);
    const required = await requiredScenarios(revision);
    expect(required).toHaveLength(REQUIRED[revision]);
    const results = required.map(name => [name, failures.get(name) ?? 'did not run']);
    expect(results, output.slice(-20_000)).toEqual(required.map(name => [name, 0]));
  });
});
