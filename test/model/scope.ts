/** What one client does, one after the other, on the replica of its process. */
export type Action = 'open' | 'append' | 'read' | 'collect';

/** How much is explored. Everything that these sizes allow, in every order, is run. */
export interface Scope {
  /** Processes that append; each opened its replica while the journal was empty. */
  writers: number;
  /** Per writer, one after the other. */
  appends: number;
  /** Entries that were committed after the writers opened: they start behind by so many. */
  prefilled: number;
  /** Rounds of the collector: catch up, checkpoint, raise the floor to the head, delete below it. */
  collections: number;
  /** Strong reads of the reader, the first of which opens it from scratch. */
  reads: number;
  /** At most so many faults in one execution, at any call: lost request, lost reply, late effect, repeated request, plain error. */
  faults: number;
  /** How often a client appends the same thing again after TW_OUTCOME_UNKNOWN. */
  retries: number;
  /** The first writer's process serves so many strong reads too, at any moment, on the same replica. */
  sharedReads: number;
  /** Tells processes apart by all they ever learned: more states, none of which can differ in what follows. */
  exact: boolean;
}

export const SMALLEST: Scope = {
  writers: 2,
  appends: 1,
  prefilled: 0,
  collections: 1,
  reads: 1,
  faults: 0,
  retries: 1,
  sharedReads: 0,
  exact: false,
};

/** What is explored by default, the small ones first. */
export const SCOPES: readonly Scope[] = [
  SMALLEST,
  { ...SMALLEST, collections: 0, reads: 2, faults: 2 },
  { ...SMALLEST, prefilled: 1 },
  { ...SMALLEST, prefilled: 1, reads: 0, faults: 1 },
  { ...SMALLEST, reads: 2 },
  { ...SMALLEST, collections: 2, reads: 0, faults: 1 },
  { ...SMALLEST, collections: 0, reads: 0, sharedReads: 2 },
  { ...SMALLEST, faults: 1 },
  { ...SMALLEST, reads: 0, faults: 2 },
  { ...SMALLEST, appends: 2 },
  { ...SMALLEST, appends: 2, reads: 0, faults: 1 },
  { ...SMALLEST, collections: 2 },
  { ...SMALLEST, writers: 3, reads: 0, faults: 1 },
  { ...SMALLEST, reads: 0, sharedReads: 1 },
  { ...SMALLEST, prefilled: 1, faults: 1 },
  { ...SMALLEST, faults: 2 },
];

/** The clients of each process, each with its actions. */
export interface Program {
  name: string;
  retries: number;
  exact: boolean;
  clients: Action[][];
}

export function programsOf(scope: Scope): Program[] {
  const { retries, exact } = scope;
  const programs: Program[] = [];
  for (let writer = 0; writer < scope.writers; writer++) {
    const clients = [repeated('append', scope.appends)];
    // Each on its own, so that they can overlap each other and the append.
    if (writer === 0) for (let read = 0; read < scope.sharedReads; read++) clients.push(['read']);
    programs.push({ name: `w${writer + 1}`, clients, retries, exact });
  }
  if (scope.collections > 0)
    programs.push({ name: 'collector', clients: [repeated('collect', scope.collections)], retries, exact });
  if (scope.reads > 0)
    programs.push({ name: 'reader', clients: [['open', ...repeated('read', scope.reads - 1)]], retries, exact });
  return programs;
}

export function describeScope(scope: Scope): string {
  const parts = [`${scope.writers} writers x ${scope.appends} appends`];
  if (scope.prefilled > 0) parts.push(`${scope.prefilled} behind`);
  parts.push(`${scope.collections} collections`, `${scope.reads} reads`);
  if (scope.sharedReads > 0) parts.push(`${scope.sharedReads} reads in a writer's process`);
  parts.push(`<= ${scope.faults} faults`);
  return parts.join(', ');
}

function repeated(action: Action, count: number): Action[] {
  return Array.from({ length: count }, () => action);
}
