import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { relativeImports, textOf, typescriptFiles } from './sources.ts';

/** Design, section 2: a file imports its own folder, or the index.ts of a folder of lower rank. */
const RANKS: Record<string, number> = {
  base: 0,
  storage: 1,
  journal: 2,
  streams: 3,
  embeddings: 3,
  ingest: 4,
  lakehouse: 4,
  snapshot: 5,
  features: 6,
  retrieval: 7,
  memory: 7,
  live: 8,
  context: 8,
  tools: 8,
  server: 9,
  adapters: 10,
  cli: 10,
};
const TOP = 11;

function folderOf(path: string): string | null {
  const parts = path.split('/');
  return parts.length > 2 ? parts[1] : null;
}

function faultOf(importer: string, imported: string): string | null {
  const from = folderOf(importer);
  const to = folderOf(imported);
  if (from === to) return null;
  // src/client.ts is an entry of its own that carries no server code; the CLI uses it as a user would.
  if (to === null) return from === 'cli' && imported === 'src/client.ts' ? null : 'imports a root file';
  if (!(to in RANKS)) return 'imports a folder without a rank';
  if (RANKS[to] >= (from === null ? TOP : RANKS[from])) return 'imports a folder that is not of lower rank';
  return posix.basename(imported) === 'index.ts' ? null : 'imports past the index.ts';
}

/** Tools and memory are given the API by whoever uses them: they know its types, and load nothing of the engine. */
function isTypesOfTheApi(importer: string, imported: string, values: ReadonlySet<string>): boolean {
  const isType = !values.has(imported);
  return (
    isType &&
    ['tools', 'memory'].includes(folderOf(importer) ?? '') &&
    ['src/server/index.ts', 'src/context/index.ts'].includes(imported)
  );
}

describe('layers', () => {
  const files = typescriptFiles('src');

  test('every folder has a rank', () => {
    const folders = new Set(files.map(folderOf).filter(folder => folder !== null));
    expect([...folders].filter(folder => !(folder in RANKS))).toEqual([]);
  });

  test('imports point to lower ranks, through index.ts only', () => {
    const faults: string[] = [];
    for (const file of files) {
      const values = new Set(valueImports(file));
      for (const specifier of relativeImports(textOf(file))) {
        const imported = posix.join(posix.dirname(file), specifier);
        if (isTypesOfTheApi(file, imported, values)) continue;
        const fault = faultOf(file, imported);
        if (fault) faults.push(`${file} -> ${imported}: ${fault}`);
      }
    }
    expect(faults).toEqual([]);
  });

  test('no file of a folder imports in a circle', () => {
    const graph = new Map(files.map(file => [file, valueImports(file)]));
    expect(cyclesOf(graph)).toEqual([]);
  });
});

/** Imports that exist when the program runs: type-only ones cannot make a cycle. */
function valueImports(file: string): string[] {
  const text = textOf(file).replace(/(?:import|export) type [^;]*;/g, '');
  return relativeImports(text).map(specifier => posix.join(posix.dirname(file), specifier));
}

function cyclesOf(graph: Map<string, string[]>): string[] {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) {
      cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      return;
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return cycles;
}
