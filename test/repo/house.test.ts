import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { ROOT, textOf, typescriptFiles } from './sources.ts';

const MAX_LINES = 500;
const REPORT_LINES = 250;
const CORE = [
  'streams',
  'lakehouse',
  'ingest',
  'retrieval',
  'snapshot',
  'features',
  'context',
  'embeddings',
  'journal',
  'storage',
];

const sources = typescriptFiles('src');
const everything = ['src', 'test', 'bench', 'examples', 'scripts'].flatMap(folder => filesOrNone(folder));

function filesOrNone(folder: string): string[] {
  try {
    return typescriptFiles(folder);
  } catch {
    return [];
  }
}

function linesThatMatch(files: string[], pattern: RegExp): string[] {
  return files.flatMap(file =>
    textOf(file)
      .split('\n')
      .map((line, index) => (pattern.test(line) ? `${file}:${index + 1}: ${line.trim()}` : null))
      .filter(line => line !== null),
  );
}

describe('house rules', () => {
  test(`no file is longer than ${MAX_LINES} lines; long ones are reported`, () => {
    const sizes = everything.map(file => ({ file, lines: textOf(file).split('\n').length - 1 }));
    const long = sizes.filter(size => size.lines > REPORT_LINES).sort((a, b) => b.lines - a.lines);
    if (long.length > 0) console.info(long.map(size => `${size.lines} lines  ${size.file}`).join('\n'));
    expect(sizes.filter(size => size.lines > MAX_LINES)).toEqual([]);
  });

  test('below the server, clock, timers and randomness are injected', () => {
    const files = sources.filter(file => CORE.includes(file.split('/')[1]));
    expect(linesThatMatch(files, /\b(Date\.now|Math\.random|setTimeout|setInterval|setImmediate)\(/)).toEqual([]);
  });

  test('sources carry no type escapes and no left markers', () => {
    expect(linesThatMatch(sources, /@ts-(ignore|nocheck|expect-error)|\bas any\b|: any\b|biome-ignore/)).toEqual([]);
    expect(linesThatMatch(sources, /\b(TODO|FIXME|XXX|HACK)\b/)).toEqual([]);
  });

  test('errors come from the registry', () => {
    expect(linesThatMatch(sources, /throw new (Error|TypeError|RangeError)\(/)).toEqual([]);
  });

  test('no test is skipped, focused or left for later', () => {
    expect(linesThatMatch(filesOrNone('test'), /\b(it|test|describe)\.(skip|todo|only|fails)\b/)).toEqual([]);
  });

  test('every source folder has tests', () => {
    const folders = new Set(
      sources
        .map(file => file.split('/'))
        .filter(parts => parts.length > 2)
        .map(parts => parts[1]),
    );
    const tested = new Set(
      filesOrNone('test')
        .filter(file => file.endsWith('.test.ts'))
        .map(file => file.split('/')[1]),
    );
    expect([...folders].filter(folder => !tested.has(folder))).toEqual([]);
  });

  test('every error kind is used', () => {
    const kinds = [...textOf('src/base/error-kinds.ts').matchAll(/^ {2}(TW_[A-Z_]+):/gm)].map(match => match[1]);
    const text = sources
      .filter(file => file !== 'src/base/error-kinds.ts')
      .map(textOf)
      .join('\n');
    expect(kinds.filter(kind => !text.includes(`'${kind}'`))).toEqual([]);
  });

  test('nothing tracked names a place of one machine', () => {
    const tracked = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' })
      .split('\n')
      .filter(path => path !== '');
    const texts = tracked.filter(path => /\.(ts|js|json|md|sh|wat)$|^\.ci\//.test(path) && path !== 'package-lock.json');
    const places = new RegExp(['work', 'root', 'farm'].map(name => `(^|[\\s'"\`=(])/${name}/`).join('|'));
    expect(linesThatMatch(texts, places)).toEqual([]);
  });
});
