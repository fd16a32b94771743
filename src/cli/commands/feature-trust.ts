import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { FeatureReport } from '../../features/index.ts';
import { parseCount } from '../arguments.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { reportSvg } from '../feature-plot.ts';
import { duration, printJson, printLine, printTable } from '../output.ts';
import { spineRows } from '../view-files.ts';

interface LintOptions extends CommonOptions {
  spine: string;
  label?: string;
  time?: string;
  asSeen?: boolean;
}

interface ReportOptions extends CommonOptions {
  baseline?: string;
  entities: number;
  plot?: string;
}

/** What shows that training rows and online answers can be relied on. */
export function addTrustCommands(features: Command, add: (command: Command) => Command, context: CliContext): void {
  addDatasetCommands(features, add, context);
  add(
    features
      .command('lint')
      .description('what in training rows may give their label away; exit code 1 when there is anything')
      .argument('<views...>')
      .requiredOption('--spine <file>', 'rows of entities and times')
      .option('--label <field>', 'the field to be predicted')
      .option('--time <field>', 'the field that holds the time (default: time)')
      .option('--as-seen', 'leave out what had not been ingested by the time of a row'),
  ).action((views: string[], options: LintOptions) => lint(views, options, context));
  add(
    features
      .command('log')
      .description('keep a share of the online answers of a view, for `skew`')
      .argument('<view>')
      .requiredOption('--rate <share>', '0 to 1; 0 keeps none', Number),
  ).action((view: string, options: CommonOptions & { rate: number }) => logAnswers(view, options, context));
  add(
    features
      .command('skew')
      .description('logged answers beside training rows of the same instants; exit code 1 when any value differs')
      .argument('<view>'),
  ).action((view: string, options: CommonOptions) => skew(view, options, context));
  add(
    features
      .command('report')
      .description('nulls, drift and age of the features of a view')
      .argument('<view>')
      .option('--baseline <dataset>', 'saved training rows to compare with; default: the same entities a day before')
      .option('--entities <count>', 'at most', parseCount, 1000)
      .option('--plot <file>', 'also as a picture (SVG)'),
  ).action((view: string, options: ReportOptions) => report(view, options, context));
}

function addDatasetCommands(features: Command, add: (command: Command) => Command, context: CliContext): void {
  const datasets = features.command('datasets').description('saved training rows');
  add(datasets.command('list', { isDefault: true }).description('all of them')).action((options: CommonOptions) =>
    listDatasets(options, context),
  );
  add(datasets.command('show').description('definitions, positions and hashes').argument('<name>')).action(
    (name: string, options: CommonOptions) =>
      withTailwater(options, { create: false }, async ({ api }) => {
        const info = await api.features.dataset(name);
        printLine(context, options.json === true ? JSON.stringify(info) : JSON.stringify(info, null, 2));
      }),
  );
  add(
    datasets
      .command('rebuild')
      .description('the rows as JSON lines, byte for byte as they were saved')
      .argument('<name>')
      .option('--out <file>', 'default: standard output'),
  ).action((name: string, options: CommonOptions & { out?: string }) => rebuild(name, options, context));
  add(datasets.command('delete').description('keep a dataset no longer').argument('<name>')).action(
    (name: string, options: CommonOptions) =>
      withTailwater(options, { create: false }, async ({ api }) => {
        await api.features.removeDataset(name);
        if (options.json === true) printJson(context, { deleted: name });
        else printLine(context, `${name}: deleted.`);
      }),
  );
}

function listDatasets(options: CommonOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const infos = await api.features.datasets();
    if (options.json === true) return printJson(context, infos);
    if (infos.length === 0)
      return printLine(context, 'There are no datasets yet. Save one with `tailwater features historical … --save NAME`.');
    const rows = infos.map(({ name, views, rows: count, sha256, createdAt }) => [
      name,
      views.map(({ view, version }) => `${view}@${version}`).join(' '),
      String(count),
      sha256.slice(0, 16),
      createdAt,
    ]);
    printTable(context, ['DATASET', 'VIEWS', 'ROWS', 'SHA256', 'SAVED'], rows);
  });
}

function rebuild(name: string, options: CommonOptions & { out?: string }, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const lines = await api.features.rebuild(name);
    if (options.out === undefined) {
      context.stdout.write(lines);
      return;
    }
    await writeFile(options.out, lines);
    const { rows, sha256 } = await api.features.dataset(name);
    if (options.json === true) printJson(context, { out: options.out, rows, sha256 });
    else printLine(context, `${options.out}: ${rows} rows, the same bytes as saved.`);
  });
}

function lint(views: string[], options: LintOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const { spine, label, time, asSeen } = options;
    const warnings = await api.features.lint({
      views,
      rows: await spineRows(spine, time ?? 'time'),
      ...(label === undefined ? {} : { label }),
      ...(time === undefined ? {} : { time }),
      ...(asSeen === undefined ? {} : { asSeen }),
    });
    if (warnings.length > 0) context.foundExitCode = 1;
    if (options.json === true) return printJson(context, warnings);
    if (warnings.length === 0) printLine(context, 'Nothing found.');
    for (const { code, view, feature, rows, examples, problem, advice } of warnings) {
      const which = rows === null ? 'by definition' : `${rows} rows, such as ${examples.join(', ')}`;
      printLine(context, `${code}: ${view}.${feature} (${which})\n  ${problem}\n  ${advice}`);
    }
  });
}

function logAnswers(view: string, options: CommonOptions & { rate: number }, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    await api.features.logAnswers(view, options.rate);
    if (options.json === true) printJson(context, { view, rate: options.rate });
    else printLine(context, options.rate === 0 ? `${view}: answers are not kept.` : `${view}: answers go to ${view}.answers.`);
  });
}

function skew(view: string, options: CommonOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const found = await api.features.skew(view);
    if (found.differences > 0) context.foundExitCode = 1;
    if (options.json === true) return printJson(context, found);
    const { answers, compared, differences, unknownVersions, examples } = found;
    printLine(context, `${view}: ${differences} differences in ${compared} values of ${answers} answers.`);
    if (unknownVersions > 0) printLine(context, `${unknownVersions} answers are of definitions that are no longer kept.`);
    for (const { entity, asOf, feature, online, training } of examples.slice(0, 20)) {
      const values = `${JSON.stringify(online)} online, ${JSON.stringify(training)} in training`;
      printLine(context, `  ${JSON.stringify(entity)} at ${asOf}, ${feature}: ${values}`);
    }
  });
}

function report(view: string, options: ReportOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const { baseline, entities, plot } = options;
    const found = await api.features.report(view, { entities, ...(baseline === undefined ? {} : { baseline }) });
    if (plot !== undefined) await writeFile(plot, reportSvg(found));
    if (options.json === true) return printJson(context, found);
    printTable(context, ['FEATURE', 'NULLS', 'BEFORE', 'PSI', 'MEDIAN AGE', 'MAX AGE'], found.features.map(healthRow));
    printLine(context, `${found.entities} entities as of ${found.asOf}; baseline ${found.baseline}`);
  });
}

function healthRow({
  feature,
  nullRate,
  baselineNullRate,
  psi,
  medianAgeMs,
  maxAgeMs,
}: FeatureReport['features'][number]): string[] {
  return [feature, percent(nullRate), percent(baselineNullRate), psi?.toFixed(3) ?? '', age(medianAgeMs), age(maxAgeMs)];
}

function percent(share: number | null): string {
  return share === null ? '' : `${(share * 100).toFixed(1)}%`;
}

function age(ms: number | null): string {
  return ms === null ? '' : duration(ms);
}
