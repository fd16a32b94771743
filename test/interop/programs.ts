import { spawn } from 'node:child_process';
import { access } from 'node:fs/promises';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Spark's programs are short: compiling less of them is most of their time. */
const ENVIRONMENT = { ...process.env, JDK_JAVA_OPTIONS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' };

/** `input` is its standard input. A program that is not there ends with code -1. */
export function run(program: string, args: readonly string[], input = ''): Promise<Ran> {
  return new Promise(resolve => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: ENVIRONMENT });
    const ran: Ran = { code: -1, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', text => {
      ran.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', text => {
      ran.stderr += text;
    });
    child.on('error', error => resolve({ ...ran, stderr: error.message }));
    child.on('close', code => resolve({ ...ran, code: code ?? -1 }));
    child.stdin.on('error', () => {}).end(input);
  });
}

export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
}
