/** Loaded with `--import` before a script: plants the mutation that the environment names, or ends the process with NOT_PLANTED. */

import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { MUTATION_VARIABLE, type Mutation, mutate, NOT_PLANTED } from './mutation.ts';

const mutation = JSON.parse(process.env[MUTATION_VARIABLE] ?? 'null') as Mutation | null;
if (mutation === null) giveUp(`${MUTATION_VARIABLE} names no mutation.`);
const target = new URL(`../../../${mutation.file}`, import.meta.url);
const mutant = orGiveUp(() => mutate(readFileSync(target, 'utf8'), mutation));
let planted = false;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (url !== target.href) return loaded;
    planted = true;
    return { ...loaded, source: mutant };
  },
});

process.on('exit', () => {
  if (!planted) giveUp(`The script never loaded ${mutation.file}.`);
});

function orGiveUp<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    return giveUp(String(error));
  }
}

function giveUp(reason: string): never {
  process.stderr.write(`${reason}\n`);
  process.exit(NOT_PLANTED);
}
