import { join } from 'node:path';
import { FileJournal, type Journal } from '../../journal/index.ts';
import { nodeFileSystem } from '../../storage/index.ts';
import { decodeSegment, type Segment } from '../../streams/index.ts';
import type { Damages } from './damages.ts';
import type { LogReport } from './report.ts';

/** After so many unreadable segments in a row, reading goes on with the next file. */
const MAX_UNREADABLE_IN_ROW = 3;

/** Reads every segment of the log with its checksums; `seen` is told each one that is whole. */
export async function inspectLog(folder: string, damages: Damages, seen: (segment: Segment) => void): Promise<LogReport> {
  const files = await filesOf(folder);
  const report: LogReport = {
    floor: 1,
    head: 0,
    segments: 0,
    records: 0,
    bytes: 0,
    firstCommit: null,
    lastCommit: null,
    files: files.filter(file => file.name.endsWith('.log')),
    torn: files.filter(file => file.name.endsWith('.torn')),
  };
  const journal =
    report.files.length === 0 ? null : await damages.of('log', () => FileJournal.openReadOnly(nodeFileSystem, folder));
  if (journal === null) return report;
  const floor = await damages.of('floor of the log', () => journal.floor());
  report.floor = floor ?? 1;
  report.head = report.floor - 1;
  await scan(journal, report, damages, segment => {
    count(report, segment);
    seen(segment);
  });
  await journal.close();
  return report;
}

async function filesOf(folder: string): Promise<{ name: string; bytes: number }[]> {
  if ((await nodeFileSystem.stat(folder)) === null) return [];
  const names = (await nodeFileSystem.readdir(folder)).map(entry => entry.name).sort();
  return Promise.all(names.map(async name => ({ name, bytes: (await nodeFileSystem.stat(join(folder, name)))?.size ?? 0 })));
}

async function scan(journal: Journal, report: LogReport, damages: Damages, each: (segment: Segment) => void): Promise<void> {
  let unreadable = 0;
  for (let seq = report.floor; ; ) {
    try {
      const bytes = await journal.read(seq);
      if (bytes === null) return;
      each(decodeSegment(bytes));
      report.head = seq++;
      unreadable = 0;
    } catch (error) {
      damages.add(`log segment ${seq}`, error);
      if (++unreadable < MAX_UNREADABLE_IN_ROW) seq++;
      else {
        const next = firstSeqs(report).find(first => first > seq);
        if (next === undefined) return;
        seq = next;
      }
    }
  }
}

/** Log files are named by their first segment. */
function firstSeqs(report: LogReport): number[] {
  return report.files.map(file => Number.parseInt(file.name, 10)).filter(seq => !Number.isNaN(seq));
}

function count(report: LogReport, segment: Segment): void {
  const commit = new Date(segment.commitTimeMs).toISOString();
  report.segments++;
  report.bytes += segment.byteLength;
  report.records += segment.batches.reduce((sum, { batch }) => sum + batch.count, 0);
  report.firstCommit ??= commit;
  report.lastCommit = commit;
}
