import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { serverNotePath } from '../../src/cli/server-note.ts';
import { TailwaterClient } from '../../src/client.ts';
import { temporaryCli } from './cli-support.ts';
import { BIN, runBin, start } from './process-support.ts';

/** A Node on this machine that is too old for Tailwater itself. */
function olderNode(): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, 'node');
    if (!existsSync(path)) continue;
    const version = execFileSync(path, ['--version'], { encoding: 'utf8' });
    if (Number.parseInt(version.slice(1), 10) < 24) return path;
  }
  return null;
}

describe('a server', () => {
  test('notes its address; commands use it, and the folder itself once it is gone', async () => {
    await using cli = await temporaryCli();
    {
      await using server = await start(cli);
      expect(JSON.parse(execFileSync('cat', [serverNotePath(cli.dataDir)], { encoding: 'utf8' }))).toEqual({
        url: server.url,
        pid: server.pid,
      });
      await cli.run(['ingest', '-', '--stream', 's', '--format', 'ndjson'], { stdin: '{"n":12345678901234567890}\n' });
      const client = new TailwaterClient({ url: server.url });
      expect((await client.listStreams()).map(info => info.definition.name)).toContain('s');
      expect((await cli.run(['query', 's'])).stdout).toContain('12345678901234567890');
      expect((await cli.run(['tail', 's'])).stdout).toContain('12345678901234567890');
      expect(await cli.json(['inspect'])).toMatchObject({ server: { url: server.url }, log: { records: 1 } });
      expect(await server.end('SIGTERM')).toMatchObject({ code: 0, signal: null });
    }
    expect(existsSync(serverNotePath(cli.dataDir))).toBe(false);
    expect(await cli.json(['query', 's'])).toMatchObject({ hits: [{ offset: 0 }] });
  });

  test('that is killed leaves everything acknowledged, and a note that misleads nobody', async () => {
    await using cli = await temporaryCli();
    await using server = await start(cli);
    const client = new TailwaterClient({ url: server.url, maxAttempts: 1 });
    await client.createStream('s', { kind: 'append' });
    let acknowledged = 0;
    const writing = (async () => {
      for (let n = 0; ; n++) {
        await client.append('s', [{ value: { n } }]);
        acknowledged++;
        if (acknowledged === 50) server.child.kill('SIGKILL');
      }
    })();
    await expect(writing).rejects.toMatchObject({ name: 'TailwaterError' });
    await server.end('SIGKILL');
    expect(existsSync(serverNotePath(cli.dataDir))).toBe(true);
    const { stdout } = await cli.run(['tail', 's', '--from', 'earliest', '--json']);
    const numbers = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).value.n);
    expect(numbers.slice(0, acknowledged)).toEqual(Array.from({ length: acknowledged }, (_, n) => n));
    expect(numbers.length).toBeLessThanOrEqual(acknowledged + 1);
    await using again = await start(cli);
    expect((await new TailwaterClient({ url: again.url }).getStream('s')).rows).toBe(numbers.length);
  });

  test('says who has its folder or its port', async () => {
    await using cli = await temporaryCli();
    await using server = await start(cli);
    const second = await runBin(['start', '--port', '0', '--data', cli.dataDir]);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(
      `TW_FOLDER_IN_USE: A server runs on ${cli.dataDir} already: ${server.url} (process ${server.pid}).`,
    );
    const other = join(cli.folder, 'other');
    const { port } = new URL(server.url);
    const taken = await runBin(['start', '--port', port, '--data', other]);
    expect(taken).toMatchObject({ code: 1, stderr: expect.stringContaining(`TW_SETTING: Cannot listen on 127.0.0.1:${port}`) });
    expect(existsSync(serverNotePath(other))).toBe(false);
  });

  test('streams to tail -f until that is stopped, and logs neither values nor keys', async () => {
    await using cli = await temporaryCli();
    await using server = await start(cli);
    const client = new TailwaterClient({ url: server.url });
    await client.createStream('s', { kind: 'upsert' });
    await client.append('s', [{ key: 'secret-key', value: { n: 1, secret: 'secret-value' } }]);
    const following = spawn(process.execPath, [BIN, 'tail', 's', '-f', '--json', '--data', cli.dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface(following.stdout)[Symbol.asyncIterator]();
    expect(JSON.parse((await lines.next()).value!)).toMatchObject({ key: 'secret-key', value: { n: 1 } });
    for (let n = 2; n < 5; n++) {
      await client.append('s', [{ key: 'k', value: { n } }]);
      expect(JSON.parse((await lines.next()).value!)).toMatchObject({ key: 'k', value: { n } });
    }
    following.kill('SIGINT');
    expect(await new Promise(resolve => following.on('close', resolve))).toBe(0);
    const { stderr } = await server.end('SIGTERM');
    expect(stderr).not.toMatch(/secret/);
  });
});

describe('bin/tailwater.js', () => {
  test('passes arguments, output and exit code through', async () => {
    expect(await runBin(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: tailwater') });
    expect(await runBin(['quary'])).toMatchObject({ code: 2 });
  });

  test('runs on the Node beside it where the system’s is too old, and passes signals on', async () => {
    const node = olderNode();
    if (node === null) {
      console.info('No Node before 24 is on the PATH: running on an older one was not tried.');
      return;
    }
    expect(await runBin(['quary'], node)).toMatchObject({ code: 2 });
    await using cli = await temporaryCli();
    await using server = await start(cli, node);
    expect(server.pid).not.toBe(server.child.pid);
    expect(await server.end('SIGINT')).toMatchObject({ code: 0 });
    expect(existsSync(serverNotePath(cli.dataDir))).toBe(false);
  });
});
