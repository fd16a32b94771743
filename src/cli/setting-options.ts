import { type Command, Option } from 'commander';
import { flagName, type NodeConfig, nodeConfig, readConfig, readConfigFile, type S3Storage, SETTINGS } from '../server/index.ts';
import type { CliContext } from './context.ts';

/** Options of a command that settings are given by, among others. */
export type SettingOptions = Record<string, unknown> & { config?: string };

type Setting = (typeof SETTINGS)[number];

/** `shown`: those that help lists, which is only some. `implied`: what the command itself says, by the names of settings. */
export function addSettingOptions(
  command: Command,
  settings: readonly Setting[],
  { shown, implied = {} }: { shown: ReadonlySet<string>; implied?: Readonly<Record<string, string>> },
): Command {
  command.option('--config <file>', 'the configuration file; default: tailwater.config.ts or .json, where there is one');
  for (const setting of settings) {
    const flag = flagName(setting);
    if (flag === null) continue;
    // Not commander's own default: what nobody gave must not win over the file.
    const fallback = implied[setting.name] ?? setting.default;
    const text = setting.doc + (fallback === null ? '' : ` (default: ${fallback})`);
    const option =
      setting.kind === 'switch' ? new Option(`${flag} [value]`, text).preset('true') : new Option(`${flag} <value>`, text);
    command.addOption(shown.has(setting.name) ? option : option.hideHelp());
  }
  return command.addHelpText(
    'after',
    '\nEvery setting is an option, an environment variable and a line of the file: docs/SETTINGS.md.',
  );
}

/** Of options, variables and file. `implied` loses to all that is given. TW_SETTING. */
export async function configOf(
  options: SettingOptions,
  { env }: CliContext,
  implied: Readonly<Record<string, string>> = {},
): Promise<NodeConfig> {
  const flags = new Map<string, string>();
  for (const setting of SETTINGS) {
    const flag = flagName(setting);
    const given = flag === null ? undefined : options[new Option(flag).attributeName()];
    if (typeof given === 'string') flags.set(setting.name, given);
  }
  const file = await readConfigFile(options.config ?? env.TAILWATER_CONFIG, process.cwd());
  const given = readConfig({ ...(file && { file }), env, flags });
  const config = readConfig({ env: {}, flags: new Map(Object.entries(implied)) });
  return nodeConfig(new Map([...config, ...given]), env);
}

/** Settings that say where a deployment on S3 is. */
const STORAGE = SETTINGS.filter(({ name }) => name === 'storage' || name.startsWith('s3.'));
const STORAGE_SHOWN = new Set(['storage', 's3.endpoint', 's3.region']);

export function addStorageOptions(command: Command): Command {
  return addSettingOptions(command, STORAGE, { shown: STORAGE_SHOWN });
}

/** Null: a folder. One that is named on the command line is meant, whatever variables and file say. */
export async function storageOf(options: SettingOptions, command: Command, context: CliContext): Promise<S3Storage | null> {
  const isGiven = (option: string): boolean => command.getOptionValueSource(option) === 'cli';
  if (isGiven('data') && !isGiven('storage')) return null;
  return (await configOf(options, context)).engine.storage ?? null;
}
