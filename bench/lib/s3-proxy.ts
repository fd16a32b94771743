import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What went to the server, by operation and component, since the last time it was asked. */
export interface ProxyCounts {
  /** `put log`, `get lance`, … */
  requests: Record<string, number>;
  bytesWritten: number;
  bytesRead: number;
}

export interface S3Proxy {
  endpoint: string;
  counts(): Promise<ProxyCounts>;
  close(): void;
}

/** A proxy before an S3 server, in a process of its own, that counts every request: those of LanceDB's own client too. */
export async function startS3Proxy(target: string): Promise<S3Proxy> {
  const child = fork(fileURLToPath(new URL('./s3-proxy-process.ts', import.meta.url)), [target], { serialization: 'advanced' });
  const next = <T>(): Promise<T> => new Promise(resolve => child.once('message', message => resolve(message as T)));
  const port = await next<number>();
  return {
    endpoint: `http://127.0.0.1:${port}`,
    counts: () => {
      const counts = next<ProxyCounts>();
      child.send('counts');
      return counts;
    },
    close: () => void child.kill(),
  };
}

export function totalOf({ requests }: ProxyCounts, wanted: (name: string) => boolean = () => true): number {
  return Object.entries(requests).reduce((sum, [name, count]) => (wanted(name) ? sum + count : sum), 0);
}

/** The largest first, as one line. */
export function describeCounts({ requests }: ProxyCounts): string {
  const entries = Object.entries(requests).sort(([, a], [, b]) => b - a);
  return entries.map(([name, count]) => `${name} ${count}`).join(', ');
}
