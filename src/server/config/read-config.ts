import { isJsonObject, type JsonObject, type JsonValue, TailwaterError } from '../../base/index.ts';
import { BadValue, envName, flagName, parseValue, rangeText, type Setting, type SettingValue } from './setting.ts';
import { SETTINGS } from './setting-list.ts';

/** What was given, by the name of the setting. */
export type Config = ReadonlyMap<string, SettingValue>;

export interface ConfigSources {
  /** What the configuration file says, and where it is. */
  file?: { path: string; content: JsonValue };
  env: Readonly<Record<string, string | undefined>>;
  /** By the name of the setting. */
  flags: ReadonlyMap<string, string>;
}

/** File, environment, command line: the later ones win. Throws TW_SETTING, which names the setting, its unit and its range, and never a secret. */
export function readConfig({ file, env, flags }: ConfigSources): Config {
  const config = new Map<string, SettingValue>();
  const inFile = file === undefined ? new Map<string, JsonValue>() : flattened(file.path, file.content);
  for (const setting of SETTINGS) {
    const given: [JsonValue | undefined, string][] = [
      [inFile.get(setting.name), `${setting.name} in ${file?.path ?? ''}`],
      [env[envName(setting)], `the environment variable ${envName(setting)}`],
      [flags.get(setting.name), `${flagName(setting)}`],
    ];
    for (const [value, where] of given) {
      if (value === undefined || value === '') continue;
      config.set(setting.name, checked(setting, value, where));
    }
  }
  return config;
}

function checked(setting: Setting, value: JsonValue, where: string): SettingValue {
  try {
    return parseValue(setting, value);
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    const shown = setting.secret ? 'what it holds' : JSON.stringify(value)?.slice(0, 200);
    throw new TailwaterError('TW_SETTING', {
      detail: `${where}: ${setting.name} must be ${rangeText(setting)}; ${shown} is not.`,
      data: { setting: setting.name },
    });
  }
}

/** The file's nested objects as names with dots. Throws TW_SETTING for what is no setting. */
function flattened(path: string, content: JsonValue): Map<string, JsonValue> {
  if (!isJsonObject(content)) throw new TailwaterError('TW_SETTING', { detail: `${path} must hold an object.` });
  const names = new Map(SETTINGS.map(({ name }) => [name.toLowerCase(), name]));
  const values = new Map<string, JsonValue>();
  const visit = (object: JsonObject, prefix: string): void => {
    for (const [key, value] of Object.entries(object)) {
      const name = prefix + key;
      if (SETTINGS.some(setting => setting.name === name)) values.set(name, value);
      else if (isJsonObject(value) && SETTINGS.some(setting => setting.name.startsWith(`${name}.`))) visit(value, `${name}.`);
      else throw unknownSetting(path, name, names.get(name.toLowerCase()));
    }
  };
  visit(content, '');
  return values;
}

function unknownSetting(path: string, name: string, similar: string | undefined): TailwaterError {
  const hint = similar === undefined ? 'docs/SETTINGS.md lists all of them' : `it is written ${similar}`;
  return new TailwaterError('TW_SETTING', {
    detail: `${path}: there is no setting ${JSON.stringify(name.slice(0, 100))}; ${hint}.`,
  });
}
