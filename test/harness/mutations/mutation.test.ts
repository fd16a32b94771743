import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MUTATIONS } from '../../model/mutations.ts';
import { MUTATIONS as SIMULATION_MUTATIONS } from '../../simulation/mutations.ts';
import { type Mutation, mutate, runMutant } from './mutation.ts';

const SCRIPT = 'test/harness/mutations/run.ts';
const SOUND: Mutation = {
  name: 'no usage',
  file: SCRIPT,
  find: 'Usage: run.ts',
  replace: 'Mutated: run.ts',
};

test('a mutation changes the program that is run, and not the file', async () => {
  const before = readFileSync(SCRIPT, 'utf8');
  const { stderr, exitCode } = await runMutant(SOUND, SCRIPT);
  expect([stderr.startsWith('Mutated: run.ts'), exitCode]).toEqual([true, 2]);
  expect(readFileSync(SCRIPT, 'utf8')).toBe(before);
});

test('a mutation whose fragment does not occur exactly once, or whose file is never loaded, is an error and not a result', async () => {
  await expect(runMutant({ ...SOUND, find: 'no such text' }, SCRIPT)).rejects.toThrow('occurs 0 times');
  await expect(runMutant({ ...SOUND, find: 'process' }, SCRIPT)).rejects.toThrow(/occurs \d+ times/);
  await expect(runMutant({ ...SOUND, replace: SOUND.find }, SCRIPT)).rejects.toThrow('changes nothing');
  const elsewhere = { ...SOUND, file: 'src/journal/serial.ts', find: 'export class Serial', replace: 'export class Other' };
  await expect(runMutant(elsewhere, SCRIPT)).rejects.toThrow('never loaded');
});

test.each([
  ['the journal', MUTATIONS],
  ['the simulation', SIMULATION_MUTATIONS],
])('every mutation of %s can still be planted', (_, mutations) => {
  for (const mutation of mutations) expect(mutate(readFileSync(mutation.file, 'utf8'), mutation)).not.toBe('');
  expect(new Set(mutations.map(({ name }) => name)).size).toBe(mutations.length);
});
