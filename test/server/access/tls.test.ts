import { execFileSync } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/index.ts';
import { readTls, watchTls } from '../../../src/server/http/tls-files.ts';
import { VirtualClock } from '../../harness/virtual-clock.ts';
import { fakeEngine } from '../fake-engine.ts';
import { startServer } from '../http-support.ts';

let folder: string;
const pathOf = (name: string): string => join(folder, name);

function makeCertificate(name: string): void {
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const files = ['-keyout', pathOf(`${name}.key`), '-out', pathOf(`${name}.crt`)];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject, ...files],
    {
      stdio: 'ignore',
    },
  );
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailwater-tls-'));
  for (const name of ['first', 'second']) makeCertificate(name);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The name in the certificate that the server shows, to a client that trusts this one only. */
async function shown(url: string, trusted: string): Promise<string> {
  const ca = await readFile(pathOf(`${trusted}.crt`));
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ca }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe('a server with a certificate', () => {
  test('speaks HTTPS, and shows a renewed one without a restart; a broken one changes nothing', async () => {
    const files = { certFile: pathOf('served.crt'), keyFile: pathOf('served.key') };
    const serveFrom = async (name: string): Promise<void> => {
      await copyFile(pathOf(`${name}.crt`), files.certFile);
      await copyFile(pathOf(`${name}.key`), files.keyFile);
    };
    await serveFrom('first');
    const clock = new VirtualClock();
    await using server = await startServer(fakeEngine(), { tls: files, clock });
    expect(server.url).toMatch(/^https:/);
    expect(await shown(server.url, 'first')).toBe('first');
    await expect(shown(server.url, 'second')).rejects.toThrow();
    await expect(fetch(server.url.replace('https', 'http'))).rejects.toThrow();

    await writeFile(files.certFile, 'not a certificate');
    await clock.advance(60_000);
    expect(await shown(server.url, 'first')).toBe('first');
    await serveFrom('second');
    await expect
      .poll(async () => {
        await clock.advance(60_000);
        return shown(server.url, 'second').catch(() => 'first');
      })
      .toBe('second');
  });

  test('is told at once what is wrong with its files', async () => {
    for (const [certFile, keyFile] of [
      ['none.crt', 'first.key'],
      ['first.crt', 'second.key'],
      ['first.key', 'first.crt'],
    ])
      await expect(readTls({ certFile: pathOf(certFile), keyFile: pathOf(keyFile) })).rejects.toMatchObject({
        code: 'TW_SETTING',
      });
  });

  test('stops looking when it stops', async () => {
    const clock = new VirtualClock();
    const files = { certFile: pathOf('first.crt'), keyFile: pathOf('first.key') };
    const watch = watchTls(files, await readTls(files), { clock, logger: silentLogger, use: () => {} });
    watch.cancel();
    expect(clock.pendingTimers).toBe(0);
  });
});
