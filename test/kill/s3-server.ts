import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { systemClock } from '../../src/base/index.ts';
import type { S3Settings } from '../../src/storage/index.ts';

const SCRIPT = fileURLToPath(new URL('../storage/real-s3.sh', import.meta.url));
/** The first start may build the server. */
const UP_WITHIN_MS = 240_000;
/** Above what a request takes, below what a check waits for. */
const TIMEOUT_MS = 5000;

/** A real S3 server over a folder that outlives it: killed and started again it is at the same address with the same objects. */
export class S3Server {
  readonly #folder: string;
  readonly #port: number;
  #process: { child: ChildProcess; ended: Promise<void> } | null = null;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
  }

  static async start(folder: string): Promise<S3Server> {
    await mkdir(folder, { recursive: true });
    const server = new S3Server(folder, await freePort());
    await server.start();
    const { endpoint, region, bucket, credentials } = server.settings('none');
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
    return server;
  }

  settings(prefix: string) {
    const credentials = { accessKeyId: 'tailwater', secretAccessKey: 'tailwater-secret' };
    const endpoint = `http://127.0.0.1:${this.#port}`;
    const settings = { endpoint, region: 'us-east-1', bucket: 'tailwater-kill', credentials, prefix, timeoutMs: TIMEOUT_MS };
    return settings satisfies S3Settings;
  }

  async start(): Promise<void> {
    const child = spawn(SCRIPT, ['run', this.#folder, String(this.#port)], {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    let stderr = '';
    child.stderr.on('data', chunk => {
      stderr = (stderr + chunk).slice(-2000);
    });
    const ended = new Promise<void>(resolve => child.once('exit', () => resolve()));
    this.#process = { child, ended };
    const giveUpAtMs = systemClock.nowMs() + UP_WITHIN_MS;
    while (!(await isUp(this.#port))) {
      if (child.exitCode !== null || systemClock.nowMs() > giveUpAtMs) throw new Error(`The S3 server did not start. ${stderr}`);
      await systemClock.sleep(20);
    }
  }

  async kill(): Promise<void> {
    this.#process?.child.kill('SIGKILL');
    await this.#process?.ended;
    this.#process = null;
  }
}

function isUp(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
