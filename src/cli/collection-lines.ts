import type { CollectionReport } from '../server/index.ts';
import { bytesText } from './output.ts';

const HOLDERS = { retention: 'kept for past instants', pin: 'pinned by a reader' };

/** A report of the collector as a person reads it. */
export function collectionLines(report: CollectionReport): string[] {
  const { log, states, statistics, vectors, dropped, others, catalogEntries, temporaries, pins, problems } = report;
  const verb = report.dryRun ? 'would go' : 'gone';
  const objects = statistics.objects + vectors.objects + dropped.objects + others.objects;
  const bytes = statistics.bytes + vectors.bytes + dropped.bytes + others.bytes;
  return [
    ...log.map(shard => `Log shard ${shard.shard}: ${count(shard.segments, 'segment')} ${verb}; ${keptText(shard)}`),
    `Table states: ${states} ${verb}`,
    `Objects: ${objects}, ${bytesText(bytes)}, ${verb}`,
    ...(dropped.streams > 0 ? [`Deleted streams: what ${dropped.streams} left ${verb}`] : []),
    ...(catalogEntries > 0 ? [`Catalog: ${catalogEntries} entries ${verb}`] : []),
    ...(temporaries > 0 ? [`Temporary files: ${temporaries} ${verb}`] : []),
    ...(pins.active > 0 ? [`Pins: ${pins.active} readers hold old state`] : []),
    ...problems.map(problem => `Not collected this time: ${problem}`),
  ];
}

function keptText({ floor, head, heldBy, neededBy }: CollectionReport['log'][number]): string {
  const left = head - floor + 1;
  if (left <= 0 || heldBy === null) return 'none is needed any more';
  const why = heldBy === 'stream' ? `the table of ${neededBy ?? 'a stream'} lacks some of them` : HOLDERS[heldBy];
  return `${left} stay (${floor} to ${head}): ${why}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
