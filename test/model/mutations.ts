import type { Mutation } from '../harness/mutations/mutation.ts';

const OBJECT_JOURNAL = 'src/journal/object-journal.ts';
const REPLICA = 'src/journal/replica.ts';
const COALESCED = 'src/journal/coalesced.ts';

/** Bugs of the protocol, each of which breaks a promise in some interleaving that the explorer must find. */
export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'the floor is not read after a create',
    file: OBJECT_JOURNAL,
    find: `return seq < floor ? { kind: 'below-floor', floor } : { kind: 'ok' };`,
    replace: `return { kind: 'ok', floor } as CreateOutcome;`,
  },
  {
    name: 'the floor is read before the create',
    file: OBJECT_JOURNAL,
    find: `const outcome = await this.#store.put(this.#entries + seqName(seq), bytes, { ifAbsent: true });
    if (outcome.kind === 'unknown') return outcome;
    if (outcome.kind !== 'ok') return { kind: 'exists' };
    // J4: the name may have been free because its entry was collected; only the floor, read now, tells.
    try {
      const floor = await this.floor();`,
    replace: `const floor = await this.floor();
    const outcome = await this.#store.put(this.#entries + seqName(seq), bytes, { ifAbsent: true });
    if (outcome.kind === 'unknown') return outcome;
    if (outcome.kind !== 'ok') return { kind: 'exists' };
    try {`,
  },
  {
    name: 'entries are deleted before the floor is raised',
    file: OBJECT_JOURNAL,
    find: `await this.#requireCheckpoint(to);
      const condition`,
    replace: `await this.#requireCheckpoint(to);
      const doomed = await this.#store.list(this.#entries, {});
      await this.#store.delete(doomed.map(object => object.key).filter(key => key < this.#entries + seqName(to)));
      const condition`,
  },
  {
    name: 'collection deletes up to the newest checkpoint, not the floor',
    file: OBJECT_JOURNAL,
    find: `const end = this.#entries + seqName(await this.floor());`,
    replace: `const end = this.#entries + seqName(((await this.latestCheckpoint())?.seq ?? 0) + 2);`,
  },
  {
    name: 'the checkpoint is written after the floor',
    file: OBJECT_JOURNAL,
    find: `async writeCheckpoint(checkpoint: Checkpoint): Promise<void> {`,
    replace: `async writeCheckpoint(checkpoint: Checkpoint): Promise<void> {
    await this.#store.put(this.#floorKey, encodeDocument({ floor: checkpoint.seq + 1 }));`,
  },
  {
    name: 'the floor is written without its condition',
    file: OBJECT_JOURNAL,
    find: `encodeDocument({ floor: to }), condition)`,
    replace: `encodeDocument({ floor: to }), condition === null ? condition : undefined)`,
  },
  {
    name: 'all checkpoints are deleted but the newest, and that one too',
    file: OBJECT_JOURNAL,
    find: `.slice(0, -KEPT_CHECKPOINTS)`,
    replace: `.slice(0)`,
  },
  {
    name: 'an unknown create is reported as failed',
    file: OBJECT_JOURNAL,
    find: `if (outcome.kind === 'unknown') return outcome;`,
    replace: `if (outcome.kind === 'unknown') throw new TailwaterError('TW_STORAGE_UNAVAILABLE');`,
  },
  {
    name: 'an unknown create is reported as done',
    file: OBJECT_JOURNAL,
    find: `if (outcome.kind === 'unknown') return outcome;`,
    replace: `if (outcome.kind === 'unknown') return { kind: 'ok' };`,
  },
  {
    name: 'a floor that cannot be read after a create is a failed create',
    file: OBJECT_JOURNAL,
    find: `return { kind: 'unknown', cause };`,
    replace: `throw cause;`,
  },
  {
    name: 'an error after an unknown create is reported as failed',
    file: REPLICA,
    find: `if (!maybeWritten || this.#failure !== null) throw error;`,
    replace: `if (maybeWritten || this.#failure !== null) throw error;`,
  },
  {
    name: 'what exists is always taken for one’s own',
    file: REPLICA,
    find: `const own = equalBytes(bytes, entry.bytes);`,
    replace: `const own = equalBytes(bytes, bytes) || equalBytes(bytes, entry.bytes);`,
  },
  {
    name: 'what exists is never taken for one’s own',
    file: REPLICA,
    find: `const own = equalBytes(bytes, entry.bytes);`,
    replace: `const own = !equalBytes(bytes, bytes) && equalBytes(bytes, entry.bytes);`,
  },
  {
    name: 'a retry of an unknown create sends a new entry',
    file: REPLICA,
    find: `if (verdict !== 'absent') return verdict === 'mine';`,
    replace: `return verdict === 'mine';`,
  },
  {
    name: 'an unknown create is given up for the next number',
    file: REPLICA,
    find: `if (bytes === null) return 'absent';`,
    replace: `if (bytes === null) return 'lost';`,
  },
  {
    name: 'an unknown create below the floor counts as lost',
    file: REPLICA,
    find: `return settled ? 'mine' : 'lost';`,
    replace: `return settled ? 'lost' : 'lost';`,
  },
  {
    name: 'an unknown create below the floor counts as done',
    file: REPLICA,
    find: `return settled ? 'mine' : 'lost';`,
    replace: `return settled ? 'mine' : 'mine';`,
  },
  {
    name: 'an unknown create is settled without the floor',
    file: REPLICA,
    find: `    if (floor > seq) {
      await this.#reload();`,
    replace: `    if (floor > seq && bytes === null) {
      await this.#reload();`,
  },
  {
    name: 'not found is taken for the head without the floor',
    file: REPLICA,
    find: `if (bytes === null && (await this.#journal.floor()) <= next) return;`,
    replace: `if (bytes === null) return;`,
  },
  {
    name: 'a strong read reads the floor before its probe',
    file: REPLICA,
    find: `const bytes = await this.#journal.read(next);
    if (bytes === null && (await this.#journal.floor()) <= next) return;`,
    replace: `const floor = await this.#journal.floor();
    const bytes = await this.#journal.read(next);
    if (bytes === null && floor <= next) return;`,
  },
  {
    name: 'catching up reads the floor before the entries',
    file: REPLICA,
    find: `const run = await this.#readRun();
      if ((await this.#journal.floor()) > this.#seq + 1) {`,
    replace: `const floor = await this.#journal.floor();
      const run = await this.#readRun();
      if (floor > this.#seq + 1) {`,
  },
  {
    name: 'the floor is read before the settling read',
    file: REPLICA,
    find: `const bytes = await this.#journal.read(seq);
    const floor = await this.#journal.floor();`,
    replace: `const floor = await this.#journal.floor();
    const bytes = await this.#journal.read(seq);`,
  },
  {
    name: 'an entry is not admitted again after a conflict',
    file: REPLICA,
    find: `    for (;;) {
      this.#requireUsable();
      const seq = this.#seq + 1;
      const proposal = build(this.#state, seq);`,
    replace: `    let admitted: Proposal<R> | null = null;
    for (;;) {
      this.#requireUsable();
      const seq = this.#seq + 1;
      admitted ??= build(this.#state, seq);
      const proposal = admitted;`,
  },
  {
    name: 'the winner of a conflict is not applied',
    file: REPLICA,
    find: `this.#apply(seq, bytes, own);
    return own`,
    replace: `if (own) this.#apply(seq, bytes, own);
    else this.#seq = seq;
    return own`,
  },
  {
    name: 'a replica that fell behind goes on from where it was',
    file: REPLICA,
    find: `      if (floor > seq + 1) continue;
      this.#state =`,
    replace: `      if (this.#seq > 0 && floor > 1) { this.#seq = Math.max(seq, this.#seq); return; }
      if (floor > seq + 1) continue;
      this.#state =`,
  },
  {
    name: 'a strong read joins a probe that is under way',
    file: COALESCED,
    find: `    this.#running = this.#next;
    this.#next = null;
    await this.#probe();`,
    replace: `    await this.#probe();
    this.#next = null;`,
  },
];
