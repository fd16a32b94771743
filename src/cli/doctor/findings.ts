import { asTailwaterError } from '../../base/index.ts';
import type { Damage } from '../inspect/report.ts';

/** The parts of a data folder that can be wrong in a way of their own. */
export type Area =
  | 'format'
  | 'log'
  | 'catalog'
  | 'states'
  | 'table'
  | 'tags'
  | 'coverage'
  | 'objects'
  | 'warehouse'
  | 'collector';

/** Something that is wrong. */
export interface Finding extends Damage {
  area: Area;
  /** What still holds, in spite of it. */
  assume: string;
  /** What to do about it. */
  todo: string;
}

const ADVICE: Record<Area, { assume: string; todo: string }> = {
  format: {
    assume: 'Nothing was changed, and nothing else was concluded from it.',
    todo: 'Check that --data names the right folder and that this version of tailwater is not older than the one that wrote it.',
  },
  log: {
    assume:
      'Segments that are not named are whole. Records up to the watermark of a stream are read from its table, so only newer ones can be affected.',
    todo: 'Copy the folder, then restore the named log file from a backup. A node does not start on a damaged log, so nothing is skipped silently.',
  },
  catalog: {
    assume: 'Logs and tables are not affected; only which streams there are, under which names, may not be complete.',
    todo: 'Restore objects/catalog from a backup. Do not collect before: what is in no catalog looks deleted.',
  },
  states: {
    assume: 'Answers come from the newest state; when that one is whole, only earlier instants are affected.',
    todo: 'Restore the named entries below objects/tables from a backup. If it is an old one, it goes with the history.',
  },
  table: {
    assume:
      'The log above the watermark and other tables are not affected. Reads of this table may lack or repeat what is named.',
    todo: 'Stop the server, and restore this life’s folders below lance or iceberg, and objects/tables from one backup.',
  },
  tags: {
    assume:
      'Only the instant of the tag is affected: newest answers come from other files, or from the same ones, which are checked too.',
    todo: 'Restore this life’s folders below lance and objects/tables from one backup, or delete the tag.',
  },
  coverage: {
    assume: 'All other offsets of the stream are there once.',
    todo: 'Copy the folder, and look for the segments in a backup of the log: these records were acknowledged.',
  },
  objects: {
    assume: 'Objects never change, so others are not affected. Vectors are computed again when they are missing.',
    todo: 'Restore the object from a backup; a persisted vector may be deleted instead.',
  },
  warehouse: {
    assume: 'Streams and their tables are not affected: this table is one that another engine keeps.',
    todo: 'Restore the named file below warehouse from a backup, or drop the table in the catalog and create it anew.',
  },
  collector: {
    assume: 'Nothing was deleted.',
    todo: 'Repair what is named above first; this check depends on it.',
  },
};

/** What a check found. Each part is looked at on its own: one that fails does not hide the others. */
export class Findings {
  readonly list: Finding[] = [];

  add(area: Area, part: string, error: unknown): void {
    const { code, message } = asTailwaterError(error);
    this.list.push({ area, part, code, detail: message, ...ADVICE[area] });
  }

  addDamages(area: Area, damages: readonly Damage[]): void {
    for (const damage of damages) this.list.push({ area, ...damage, ...ADVICE[area] });
  }

  addText(area: Area, part: string, detail: string): void {
    this.list.push({ area, part, code: 'TW_DATA_DAMAGED', detail, ...ADVICE[area] });
  }

  async of<T>(area: Area, part: string, work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      this.add(area, part, error);
      return null;
    }
  }
}
