import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { TailwaterClient } from '../../src/client.ts';
import type { S3Settings } from '../../src/storage/index.ts';
import { BIN } from '../cli/process-support.ts';

export interface ClusterNode {
  client: TailwaterClient;
  url: string;
  /** Resolves when the process has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
  stderr(): string;
}

/** `tailwater start --storage s3://…`, or `worker`, as a process of its own, once it listens. Credentials come by the environment. */
export async function startNode(
  s3: S3Settings,
  options: { dataDir: string; command?: 'start' | 'worker'; settings?: Record<string, string>; env?: Record<string, string> },
): Promise<ClusterNode> {
  const { dataDir, command = 'start', settings = {} } = options;
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const storage = ['--storage', `s3://${s3.bucket}/${s3.prefix}`, '--s3-endpoint', s3.endpoint!, '--s3-region', s3.region];
  const args = [BIN, command, '--port', '0', '--json', '--log-level', 'warn', '--data', dataDir, ...storage, ...flags];
  const env = {
    ...process.env,
    ...options.env,
    TAILWATER_S3_ACCESS_KEY_ID: s3.credentials!.accessKeyId,
    TAILWATER_S3_SECRET_ACCESS_KEY: s3.credentials!.secretAccessKey,
  };
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let stderr = '';
  child.stderr.on('data', chunk => {
    stderr += chunk;
  });
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()));
  const { url } = JSON.parse(await firstLine(child, ended, () => stderr));
  return {
    client: new TailwaterClient({ url }),
    url,
    end: signal => {
      child.kill(signal);
      return ended;
    },
    stderr: () => stderr,
  };
}

function firstLine(child: ChildProcess, ended: Promise<void>, stderr: () => string): Promise<string> {
  const line = new Promise<string>(resolve => createInterface(child.stdout!).once('line', resolve));
  return Promise.race([line, ended.then(() => Promise.reject(new Error(`The node did not start: ${stderr()}`)))]);
}
