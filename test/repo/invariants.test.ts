import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT, textOf } from './sources.ts';

/** Design, sections 3, 4, 6 and 7. */
const INVARIANTS = [
  ...['S1', 'S2', 'S3', 'S4', 'S5'],
  ...['J1', 'J2', 'J3', 'J4', 'J5', 'J6', 'J7', 'J8', 'J9'],
  ...['C1', 'C2', 'C3', 'C4', 'C5', 'C6', 'C7', 'C8'],
  ...['R1', 'R2', 'R3', 'R4', 'R5', 'R6'],
];

interface Row {
  id: string;
  file: string;
  name: string;
}

function rows(): Row[] {
  return textOf('docs/INVARIANTS.md')
    .split('\n')
    .map(line => line.match(/^\| (\w\d) +\|.*\| `([^`]+)` +\| (.+?) +\|$/))
    .filter(match => match !== null)
    .map(([, id, file, name]) => ({ id, file, name: name.trim() }));
}

describe('docs/INVARIANTS.md', () => {
  test('lists every invariant of the design', () => {
    expect(INVARIANTS.filter(id => !rows().some(row => row.id === id))).toEqual([]);
  });

  test('names tests that exist', () => {
    const missing = rows().filter(row => !existsSync(join(ROOT, row.file)) || !textOf(row.file).includes(row.name));
    expect(missing).toEqual([]);
  });
});
