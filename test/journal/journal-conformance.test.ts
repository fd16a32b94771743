import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { seededRandom } from '../../src/base/index.ts';
import { FileJournal, ObjectJournal } from '../../src/journal/index.ts';
import { MemoryObjectStore, nodeFileSystem } from '../../src/storage/index.ts';
import { journalConformance } from '../conformance/journal.ts';
import { SimFileSystem } from '../harness/sim-file-system.ts';

const folder = mkdtempSync(join(tmpdir(), 'tailwater-journal-'));
let worlds = 0;

afterAll(() => rmSync(folder, { recursive: true, force: true }));

journalConformance('ObjectJournal', () => {
  const store = new MemoryObjectStore();
  return { open: async () => new ObjectJournal(store, 'catalog') };
});

journalConformance('FileJournal with one file', () => {
  const fs = new SimFileSystem(seededRandom(1));
  return { open: () => FileJournal.open(fs, '/log/0', { random: seededRandom(2) }) };
});

journalConformance('FileJournal with a file for every few entries', () => {
  const fs = new SimFileSystem(seededRandom(1));
  return { open: () => FileJournal.open(fs, '/log/0', { random: seededRandom(2), maxFileBytes: 150 }) };
});

journalConformance('FileJournal on a real folder', () => {
  const path = join(folder, String(worlds++));
  return { open: () => FileJournal.open(nodeFileSystem, path, { random: seededRandom(2), maxFileBytes: 1000 }) };
});
