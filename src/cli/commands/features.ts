import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { type JsonObject, type JsonValue, systemClock } from '../../base/index.ts';
import type { ViewInfo, ViewPlanAnswer } from '../../features/index.ts';
import type { TailwaterApi } from '../../server/index.ts';
import { parseCount, parseFields, parseJsonObject } from '../arguments.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { bytesText, duration, printJson, printLine, printTable } from '../output.ts';
import { statusLine } from '../status-line.ts';
import { isParquet, loadViews, spineRows } from '../view-files.ts';
import { addTrustCommands } from './feature-trust.ts';

const POLL_MS = 100;

export function addFeaturesCommand(program: Command, context: CliContext): void {
  const features = program.command('features').description('define feature views, and read their values');
  const add = (command: Command): Command => addCommonOptions(command, context);
  add(features.command('list', { isDefault: true }).description('every view, with what it serves')).action(
    (options: CommonOptions) => listViews(options, context),
  );
  add(features.command('show').description('one view: its definition and versions').argument('<view>')).action(
    (name: string, options: CommonOptions) => showView(name, options, context),
  );
  add(
    features
      .command('plan')
      .description('what applying the views of a file would do')
      .argument('<file>', 'JSON, or a module that exports views')
      .option('--sample <entities>', 'entities whose values are compared', parseCount, 20),
  ).action((file: string, options: CommonOptions & { sample: number }) => planViews(file, options, context));
  add(
    features
      .command('apply')
      .description('define or change the views of a file, and wait until they are built')
      .argument('<file>', 'JSON, or a module that exports views')
      .option('--replaces <version>', 'the version whose served values may change')
      .option('--no-wait', 'return at once'),
  ).action((file: string, options: ApplyOptions) => applyViews(file, options, context));
  addReadCommands(features, add, context);
  addTrustCommands(features, add, context);
  add(features.command('delete').description('remove a view and its state').argument('<view>')).action(
    (name: string, options: CommonOptions) => removeView(name, options, context),
  );
  addExamples(features, [
    'features plan views.ts',
    'features apply views.ts',
    'features online user_activity ann bob --as-of 2026-01-31T12:00:00Z',
    'features historical user_activity --spine rows.parquet --out train.parquet',
    'features datasets rebuild spring --out train.ndjson',
    'features skew user_activity',
  ]);
}

interface OnlineOptions extends CommonOptions {
  features?: string[];
  asOf?: string;
  request?: JsonObject;
}

interface HistoricalOptions extends CommonOptions {
  spine: string;
  out?: string;
  time?: string;
  asSeen?: boolean;
  save?: string;
  label?: string;
}

interface ApplyOptions extends CommonOptions {
  replaces?: string;
  wait: boolean;
}

function addReadCommands(features: Command, add: (command: Command) => Command, context: CliContext): void {
  add(
    features
      .command('online')
      .description('values of entities')
      .argument('<view>')
      .argument('<entities...>', 'each a text, or JSON: a list of fields or an object')
      .option('--features <names>', 'which, comma-separated', parseFields)
      .option('--as-of <time>', 'at that instant')
      .option('--request <json>', 'values for on-demand features', parseJsonObject),
  ).action((view: string, entities: string[], options: OnlineOptions) => online(view, entities, options, context));
  add(
    features
      .command('historical')
      .description('training rows: features point in time for rows of entities and times')
      .argument('<views...>')
      .requiredOption('--spine <file>', 'rows: Parquet (.parquet), a JSON array, or an object a line')
      .option('--out <file>', 'where to write them: Parquet (.parquet), or an object a line; default: standard output')
      .option('--time <field>', 'the field that holds the time (default: time)')
      .option('--as-seen', 'leave out what had not been ingested by the time of a row')
      .option('--save <name>', 'keep the rows as a dataset that can be rebuilt byte for byte')
      .option('--label <field>', 'the field to be predicted: warns of what gives it away'),
  ).action((views: string[], options: HistoricalOptions) => historical(views, options, context));
}

function listViews(options: CommonOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const views = await api.features.list();
    if (options.json === true) return printJson(context, views);
    if (views.length === 0)
      return printLine(context, 'There are no feature views yet. Define some with `tailwater features apply`.');
    const rows = views.map(view => [
      view.name,
      view.version,
      view.definition.source,
      String(Object.keys(view.definition.features).length),
      String(view.stats.entities),
      stateOf(view),
    ]);
    printTable(context, ['VIEW', 'VERSION', 'SOURCE', 'FEATURES', 'ENTITIES', 'STATE'], rows);
  });
}

function stateOf({ progress, building }: ViewInfo): string {
  if (building !== null) return `building ${building.version}: ${building.progress.read} of ${building.progress.total} records`;
  return progress.caughtUp ? 'serving' : `building: ${progress.read} of ${progress.total} records`;
}

function showView(name: string, options: CommonOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const view = await api.features.get(name);
    printLine(context, options.json === true ? JSON.stringify(view) : JSON.stringify(view, null, 2));
  });
}

function planViews(file: string, options: CommonOptions & { sample: number }, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const plans: ViewPlanAnswer[] = [];
    for (const view of await loadViews(file)) plans.push(await api.features.plan(view, { sampleEntities: options.sample }));
    if (options.json === true) printJson(context, plans);
    else for (const plan of plans) printPlan(plan, context);
  });
}

function printPlan(plan: ViewPlanAnswer, context: CliContext): void {
  const { name, current, next, changes, rebuilds, recordsToRead, differences, sampledEntities, altersServedValues } = plan;
  printLine(context, `${name}: ${current === null ? 'new' : current === next ? 'nothing changes' : `${current} -> ${next}`}`);
  for (const { feature, change } of changes) if (change !== 'same') printLine(context, `  ${change.padEnd(8)} ${feature}`);
  const bytes = plan.bytesToRead === null ? '' : `, ${bytesText(plan.bytesToRead)}`;
  if (rebuilds) printLine(context, `  builds its state from ${recordsToRead} records${bytes}`);
  if (sampledEntities > 0) printLine(context, `  ${differences.length} values differ of ${sampledEntities} sampled entities`);
  for (const { entity, feature, before, after } of differences.slice(0, 10)) {
    printLine(context, `    ${entity} ${feature}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`);
  }
  if (altersServedValues) printLine(context, `  apply it with --replaces ${current}`);
}

function applyViews(file: string, options: ApplyOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const applied: ViewInfo[] = [];
    for (const view of await loadViews(file)) {
      const info = await api.features.apply(view, options.replaces === undefined ? {} : { replaces: options.replaces });
      applied.push(options.wait ? await built(api, info.name, options, context) : info);
    }
    if (options.json === true) return printJson(context, applied);
    for (const view of applied) printLine(context, `${view.name}: version ${view.version}, ${stateOf(view)}.`);
  });
}

async function built(api: TailwaterApi, name: string, { json }: CommonOptions, context: CliContext): Promise<ViewInfo> {
  const status = statusLine(context, json === true);
  try {
    for (;;) {
      const view = await api.features.get(name);
      const { read, total, caughtUp } = (view.building ?? view).progress;
      if (caughtUp && view.building === null) return view;
      status.show(`${name}: ${read} of ${total} records read (${total === 0 ? 0 : Math.floor((read / total) * 100)}%)`);
      await systemClock.sleep(POLL_MS);
    }
  } finally {
    status.end();
  }
}

function online(view: string, entities: string[], options: OnlineOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const { features, asOf, request } = options;
    const answer = await api.features.online(view, {
      entities: entities.map(entityOf),
      ...(features === undefined ? {} : { features }),
      ...(asOf === undefined ? {} : { asOf }),
      ...(request === undefined ? {} : { request }),
    });
    if (options.json === true) return printJson(context, answer);
    const rows = answer.entities.flatMap(({ entity, values, details }) =>
      Object.entries(details).map(([feature, { status, ageMs }]) => [
        typeof entity === 'string' ? entity : JSON.stringify(entity),
        feature,
        status,
        ageMs === null ? '' : duration(ageMs),
        JSON.stringify((values as JsonObject)[feature]),
      ]),
    );
    printTable(context, ['ENTITY', 'FEATURE', 'STATUS', 'AGE', 'VALUE'], rows);
    printLine(context, `as of ${answer.asOf}; ${answer.freshness.complete ? 'complete' : 'incomplete'}`);
  });
}

/** What is JSON of a list or an object is that; everything else is the text it is. */
function entityOf(text: string): JsonValue {
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function historical(views: string[], options: HistoricalOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    const { spine, out, time, asSeen, save, label } = options;
    const rows = await spineRows(spine, time ?? 'time');
    const answer = await api.features.historical({
      views,
      rows,
      ...(time === undefined ? {} : { time }),
      ...(asSeen === undefined ? {} : { asSeen }),
      ...(save === undefined ? {} : { saveAs: save }),
      ...(label === undefined ? {} : { label }),
    });
    for (const { code, view, feature, advice } of answer.warnings ?? []) {
      context.stderr.write(`${code}: ${view}.${feature}. ${advice}\n`);
    }
    const text = answer.rows.map(row => `${JSON.stringify(row)}\n`).join('');
    if (out === undefined) context.stdout.write(text);
    else {
      if (isParquet(out)) await (await import('../parquet-rows.ts')).writeParquetRows(out, answer.rows);
      else await writeFile(out, text);
      if (options.json === true) printJson(context, { out, rows: rows.length, views: answer.views, dataset: answer.dataset });
      else printLine(context, `${out}: ${rows.length} rows of ${views.join(', ')}.`);
    }
  });
}

function removeView(name: string, options: CommonOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: false }, async ({ api }) => {
    await api.features.remove(name);
    if (options.json === true) printJson(context, { removed: name });
    else printLine(context, `${name}: removed.`);
  });
}
