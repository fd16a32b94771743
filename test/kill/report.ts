import type { Violation } from './ledger.ts';
import type { StoreKind } from './plan.ts';

/** What a run did and found. */
export interface KillReport {
  store: StoreKind;
  seed: number;
  rounds: number;
  /** Empty stores begun, each verified at its end. */
  stores: number;
  /** `starting`: of the nodes killed, those that had not begun to listen or just had. */
  kills: { node: number; starting: number; compaction: number; s3: number; cleanStops: number };
  /** At the end of each store, when every unknown one had been sent again. */
  batches: { acknowledged: number; unknown: number; refused: number };
  /** Records of the acknowledged batches. */
  records: number;
  /** Batches whose answer was lost: there, or not there, after the next start. */
  unknownPresent: number;
  unknownAbsent: number;
  /** Commits of tables, and segments of the log that were given up, meanwhile. */
  tableStates: number;
  logSegmentsCollected: number;
  /** As `tailwater doctor` verifies a folder. */
  verifications: number;
  violations: Violation[];
  milliseconds: number;
}

export function emptyReport(store: StoreKind, seed: number): KillReport {
  return {
    store,
    seed,
    rounds: 0,
    stores: 0,
    kills: { node: 0, starting: 0, compaction: 0, s3: 0, cleanStops: 0 },
    batches: { acknowledged: 0, unknown: 0, refused: 0 },
    records: 0,
    unknownPresent: 0,
    unknownAbsent: 0,
    tableStates: 0,
    logSegmentsCollected: 0,
    verifications: 0,
    violations: [],
    milliseconds: 0,
  };
}

/** For people. */
export function reportText(report: KillReport): string {
  const { store, seed, rounds, kills, batches, violations } = report;
  const count = (kind: Violation['kind']): number => violations.filter(violation => violation.kind === kind).length;
  const lines = [
    `${rounds} rounds on ${store} (seed ${seed}), ${report.stores} stores, ${Math.round(report.milliseconds / 1000)} s`,
    `  killed: ${kills.node} nodes (${kills.starting} of them while they started), ${kills.compaction} compaction processes, ${kills.s3} S3 servers; ${kills.cleanStops} clean stops`,
    `  ${batches.acknowledged} batches of ${report.records} records acknowledged, each checked after every start; ${batches.refused} refused`,
    `  ${report.unknownPresent + report.unknownAbsent} of unknown outcome: ${report.unknownPresent} were there once, ${report.unknownAbsent} not at all`,
    `  meanwhile ${report.tableStates} table commits, ${report.logSegmentsCollected} log segments collected; ${report.verifications} full verifications`,
    `  ${count('lost')} lost, ${count('duplicate')} duplicates, ${count('wrong')} otherwise wrong`,
    ...violations.slice(0, 20).map(({ kind, what }) => `  ${kind.toUpperCase()}  ${what}`),
  ];
  return `${lines.join('\n')}\n`;
}
