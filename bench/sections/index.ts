import type { Section } from '../lib/figures.ts';
import { appends } from './appends.ts';
import { bulk } from './bulk.ts';
import { compaction } from './compaction.ts';
import { context } from './context.ts';
import { cranfield } from './cranfield.ts';
import { features } from './features.ts';
import { hybrid } from './hybrid.ts';
import { iceberg } from './iceberg.ts';
import { live } from './live.ts';
import { memory } from './memory.ts';
import { peers } from './peers.ts';
import { s3 } from './s3.ts';
import { scan } from './scan.ts';
import { sql } from './sql.ts';
import { tables } from './tables.ts';
import { upkeep } from './upkeep.ts';
import { visibility } from './visibility.ts';

export const SECTIONS: readonly Section[] = [
  appends,
  bulk,
  visibility,
  hybrid,
  peers,
  compaction,
  iceberg,
  cranfield,
  memory,
  features,
  context,
  live,
  scan,
  sql,
  tables,
  upkeep,
  s3,
];
