import type { JsonValue } from '../../base/index.ts';

export type Unit = 'bytes' | 'ms' | 'rows' | 'requests' | 'threads' | 'queries' | 'USD per 1,000 requests';

interface Common {
  /** As in the configuration file, with dots between levels. */
  name: string;
  /** What it is for; whole sentences. */
  doc: string;
  /** Of a data folder, as text; null: none. */
  default: string | null;
  /** Of a deployment on S3, where it is another one. */
  s3Default?: string;
  /** Its environment variable, where it is not made from the name. */
  env?: string;
  /** Its option on the command line, where it is not made from the name. */
  flag?: string;
  /** Never logged, and not given on a command line, which others on the machine can read. */
  secret?: true;
}

export interface NumberSetting extends Common {
  kind: 'integer' | 'number';
  unit: Unit | null;
  min: number;
  max: number;
}

export interface TextSetting extends Common {
  kind: 'text';
  /** What a value looks like. */
  form: string;
  pattern: RegExp;
}

export interface ChoiceSetting extends Common {
  kind: 'choice' | 'choices';
  choices: readonly string[];
}

export interface SwitchSetting extends Common {
  kind: 'switch';
}

export type Setting = NumberSetting | TextSetting | ChoiceSetting | SwitchSetting;
export type SettingValue = number | string | boolean | readonly string[];

/** A value that a setting cannot have. */
export class BadValue extends Error {}

/** `log.lingerMs` is TAILWATER_LOG_LINGER_MS. */
export function envName({ name, env }: Setting): string {
  return env ?? `TAILWATER_${words(name).join('_').toUpperCase()}`;
}

/** `log.lingerMs` is --log-linger-ms; null for secrets. */
export function flagName(setting: Setting): string | null {
  return setting.secret ? null : (setting.flag ?? `--${words(setting.name).join('-')}`);
}

/** What may be given, with unit and range. */
export function rangeText(setting: Setting): string {
  switch (setting.kind) {
    case 'integer':
    case 'number': {
      const { min, max, unit } = setting;
      const range = Number.isFinite(max) ? `${count(min)} to ${count(max)}` : `${count(min)} or more`;
      return `${setting.kind === 'integer' ? 'a whole number' : 'a number'}${unit === null ? '' : ` of ${unit}`}, ${range}`;
    }
    case 'text':
      return setting.form;
    case 'choice':
      return `one of ${setting.choices.join(', ')}`;
    case 'choices':
      return `some of ${setting.choices.join(', ')}, with commas between them`;
    case 'switch':
      return 'true or false';
  }
}

/** From JSON, or from the text of a variable or an option. Throws BadValue. */
export function parseValue(setting: Setting, given: JsonValue): SettingValue {
  switch (setting.kind) {
    case 'integer':
    case 'number':
      return checkedNumber(setting, given);
    case 'text':
      if (typeof given === 'string' && setting.pattern.test(given)) return given;
      throw new BadValue();
    case 'choice':
      if (typeof given === 'string' && setting.choices.includes(given)) return given;
      throw new BadValue();
    case 'choices':
      return checkedChoices(setting, given);
    case 'switch':
      if (given === true || given === 'true') return true;
      if (given === false || given === 'false') return false;
      throw new BadValue();
  }
}

const FACTORS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  bytes: { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 },
  ms: { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 },
};

/** Texts may have a unit of their own: `64 MiB`, `10 min`. */
function checkedNumber({ kind, unit, min, max }: NumberSetting, given: JsonValue): number {
  const [, digits, suffix = ''] = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(String(given)) ?? [];
  const factor = suffix === '' ? 1 : FACTORS[unit ?? '']?.[suffix];
  const value = typeof given === 'number' ? given : Number(digits) * (factor ?? Number.NaN);
  const isValid = (typeof given === 'number' || typeof given === 'string') && value >= min && value <= max;
  if (!isValid || (kind === 'integer' && !Number.isSafeInteger(value))) throw new BadValue();
  return value;
}

function checkedChoices({ choices }: ChoiceSetting, given: JsonValue): readonly string[] {
  const list = typeof given === 'string' ? given.split(',').map(item => item.trim()) : given;
  if (!Array.isArray(list) || list.length === 0) throw new BadValue();
  if (!list.every(item => typeof item === 'string' && choices.includes(item))) throw new BadValue();
  return [...new Set(list as string[])];
}

function words(name: string): string[] {
  return name.split('.').flatMap(part =>
    part
      .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
      .toLowerCase()
      .split(' '),
  );
}

function count(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 6 });
}
