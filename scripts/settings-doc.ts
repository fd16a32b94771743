import { writeFile } from 'node:fs/promises';
import { settingsDoc } from '../src/server/config/settings-doc.ts';

await writeFile(new URL('../docs/SETTINGS.md', import.meta.url), settingsDoc());
