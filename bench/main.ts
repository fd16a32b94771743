import './lib/quiet.ts';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { Figure } from './lib/figures.ts';
import { table } from './lib/report.ts';
import { SECTIONS } from './sections/index.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));

const program = new Command()
  .name('bench')
  .description('Measures Tailwater, each figure beside its limit or a peer in the same run.')
  .argument('[sections...]', `which to run; default all: ${SECTIONS.map(section => section.name).join(', ')}`)
  .option('--scale <share>', 'share of the asked sizes and times, for a quick look', '1')
  .option('--data <folder>', 'the real data sets', process.env.TAILWATER_DATA ?? join(HERE, '../../shared/data'))
  .option('--folder <folder>', 'where to put data; on the disk that is to be measured', os.tmpdir())
  .option('--json <file>', 'where to write the figures', join(HERE, 'results/latest.json'))
  .parse();

const options = program.opts<{ scale: string; data: string; folder: string; json: string }>();
const wanted = program.args.length === 0 ? SECTIONS : SECTIONS.filter(section => program.args.includes(section.name));
const unknown = program.args.filter(name => !SECTIONS.some(section => section.name === name));
if (unknown.length > 0)
  program.error(`There is no section ${unknown.join(', ')}; there are ${SECTIONS.map(section => section.name).join(', ')}.`);

const results: Record<string, Figure[]> = readResults(options.json);
for (const section of wanted) {
  const folder = mkdtempSync(join(options.folder, `tailwater-bench-${section.name}-`));
  process.stderr.write(`\n${section.title}\n`);
  try {
    const figures = await section.run({
      folder,
      data: options.data,
      scale: Number(options.scale),
      log: line => process.stderr.write(`  ${line}\n`),
    });
    results[section.name] = figures;
    process.stdout.write(`\n${table(section.title, figures)}`);
    save(options.json, results);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
process.exit(0);

/** Sections that are not run this time keep their figures. */
function readResults(path: string): Record<string, Figure[]> {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).sections;
  } catch {
    return {};
  }
}

function save(path: string, sections: Record<string, Figure[]>): void {
  mkdirSync(join(path, '..'), { recursive: true });
  const [cpu] = os.cpus();
  const machine = {
    cpu: cpu.model,
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 1024 ** 3),
    node: process.version,
  };
  writeFileSync(
    path,
    `${JSON.stringify({ measuredAt: new Date().toISOString(), machine, scale: Number(options.scale), sections }, null, 2)}\n`,
  );
}
