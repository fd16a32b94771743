#!/usr/bin/env node
// Plain JavaScript for any Node: Tailwater itself needs Node 24, and the package `node` brings one where the system's is older.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NEEDED_MAJOR = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));

function bundledNode() {
  try {
    const require = createRequire(import.meta.url);
    if (Number(require('node/package.json').version.split('.')[0]) < NEEDED_MAJOR) return null;
    const path = join(dirname(require.resolve('node/package.json')), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(path) ? path : null;
  } catch (_) {
    return null;
  }
}

/** The child gets the terminal, the arguments and every signal that asks to stop; its end is ours. */
function rerun(path) {
  const child = spawn(path, [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('error', error => fail(`The Node at ${path} cannot be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

if (Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR) {
  const built = join(root, 'dist', 'cli', 'main.js');
  import(pathToFileURL(existsSync(built) ? built : join(root, 'src', 'cli', 'main.ts')).href);
} else {
  const path = bundledNode();
  if (path === null) {
    fail(
      `Tailwater needs Node ${NEEDED_MAJOR} or newer; this is ${process.version}. ` +
        'Install a newer Node, or add one beside Tailwater with `npm install node@24`.',
    );
  } else {
    rerun(path);
  }
}
