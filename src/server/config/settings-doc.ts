import { envName, flagName, rangeText, type Setting } from './setting.ts';
import { SETTING_GROUPS } from './setting-list.ts';

const INTRODUCTION = `# Settings

A node is told by a file, by environment variables and by options of \`tailwater start\` and \`tailwater worker\`; the later ones win. The file is
\`tailwater.config.ts\` (or \`.js\`), whose default export is an object, or \`tailwater.config.json\`, in the folder where the command runs;
\`--config <file>\`, or TAILWATER_CONFIG, names another one. Names with dots are nested: \`log.lingerMs\` is \`{"log": {"lingerMs": 100}}\`.

Bytes and times may be texts with a unit: \`"64 MiB"\`, \`"10 min"\` (KiB, MiB, GiB, TiB; ms, s, min, h, d). Secrets have no option: other users of a
machine can read command lines. They are never logged.

This page is generated from the code by \`node scripts/settings-doc.ts\`.
`;

/** docs/SETTINGS.md. */
export function settingsDoc(): string {
  const groups = SETTING_GROUPS.map(({ title, settings }) => `## ${title}\n\n${settings.map(entry).join('\n')}`);
  return `${INTRODUCTION}\n${groups.join('\n')}`;
}

function entry(setting: Setting): string {
  const flag = flagName(setting);
  const ways = [`\`${envName(setting)}\``, ...(flag === null ? [] : [`\`${flag}\``])];
  return `### \`${setting.name}\`\n\n${setting.doc}\n\n- ${capital(rangeText(setting))}\n- Default: ${defaultText(setting)}\n- ${ways.join(', ')}\n`;
}

function defaultText({ default: fallback, s3Default, secret }: Setting): string {
  const shown = fallback === null ? 'none' : `\`${fallback}\``;
  if (s3Default !== undefined) return `${shown}; on S3 \`${s3Default}\``;
  return secret ? 'none; a secret' : shown;
}

function capital(text: string): string {
  return text.includes('://') ? `\`${text}\`` : text.charAt(0).toUpperCase() + text.slice(1);
}
