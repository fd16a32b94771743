import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isTailwaterError, utf8 } from '../../src/base/index.ts';
import type { StagedFacts, TableRow, TableSchema, TableStaging } from '../../src/lakehouse/index.ts';
import {
  expectRows,
  fixturesOf,
  LANCE_TRAITS,
  rowOf,
  rowsOf,
  scanned,
  sorted,
  Table,
  type TableTraits,
  written,
} from './table-rows.ts';
import { hashOf, type TableWorld } from './table-store.ts';

type Step = 'append' | 'take' | 'vectors' | 'columns' | 'optimize';

const stepsOfOne = fc.array(fc.constantFrom<Step>('append', 'append', 'take', 'vectors', 'columns', 'optimize'), {
  maxLength: 4,
});
/** Whose turn it is: two stagings take their steps in this order, one after the other. */
const turns = fc.array(fc.boolean(), { maxLength: 12 });

const EVERYTHING = { textIndex: true, vectorIndex: true, compactFragments: true };
const FIRST = 10;

/**
 * Stagings that race on one base (C2): datasets rebase appends and re-attach restored handles without a word, so that another job's
 * rows can slip in. Every implementation notices: the step is TW_COMPACTION_FAILED, or the facts of `verify` are not those of the plan.
 */
export function tableStoreRaces(
  name: string,
  makeWorld: () => Promise<TableWorld>,
  runs: number,
  traits: TableTraits = LANCE_TRAITS,
): void {
  const { UPSERT, SCHEMA } = fixturesOf(traits);
  describe(`${name} with racing stagings (C2)`, () => {
    let world: TableWorld;
    let table: Table;

    beforeEach(async () => {
      world = await makeWorld();
      table = new Table(world.store, UPSERT, SCHEMA);
      await table.commit(staging => staging.append(written(rowsOf(1, FIRST))));
    });

    afterEach(() => world.close());

    /** As another process would stage, on the same base. */
    function rival(): Promise<TableStaging> {
      return world.other.begin(UPSERT, table.versions, SCHEMA);
    }

    test.runIf(traits.isolated)('what others stage on the same base is not there, and in nobody’s way', async () => {
      const staging = await table.begin();
      await staging.append(written([rowOf(11)]));
      const other = await rival();
      await other.append(written([rowOf(12)]));
      await staging.takeKeys([utf8('k2')], [100]);
      await other.evolve(withColumn(SCHEMA, 'theirs'));
      await staging.appendChanges([{ row: rowOf(2), supersededAtMs: 1 }]);
      const [mine, theirs] = await Promise.all([staging.verify([]), other.verify([])]);
      expect(mine.versions.rows).not.toBe(theirs.versions.rows);
      await expectRows(await table.open(mine.versions), [...rowsOf(1, FIRST).filter(row => row.seq !== 2), rowOf(11)]);
      await expectRows(await table.open(theirs.versions, withColumn(SCHEMA, 'theirs')), [...rowsOf(1, FIRST), rowOf(12)]);
      await expectRows(await table.open(), rowsOf(1, FIRST));
    });

    test.runIf(!traits.isolated).each([
      ['append', (staging: TableStaging) => staging.append(written([rowOf(20)]))],
      ['takeKeys', (staging: TableStaging) => staging.takeKeys([utf8('k2')], [100])],
      ['setVectors', (staging: TableStaging) => staging.setVectors([2], new Float32Array(3))],
      ['evolve', (staging: TableStaging) => staging.evolve(withColumn(SCHEMA, 'mine'))],
    ])('%s notices rows that slipped in before it', async (_, step) => {
      const staging = await table.begin();
      await staging.append(written([rowOf(11)]));
      await (await rival()).append(written([rowOf(12)]));
      await expect(step(staging)).rejects.toMatchObject({ code: 'TW_COMPACTION_FAILED' });
      await expectRows(await table.open(), rowsOf(1, FIRST));
    });

    test.runIf(!traits.isolated)('appendChanges notices changes that slipped in before it', async () => {
      const staging = await table.begin();
      await staging.appendChanges([{ row: rowOf(11), supersededAtMs: 1 }]);
      await (await rival()).appendChanges([{ row: rowOf(12), supersededAtMs: 1 }]);
      const late = staging.appendChanges([{ row: rowOf(13), supersededAtMs: 1 }]);
      await expect(late).rejects.toMatchObject({ code: 'TW_COMPACTION_FAILED' });
    });

    test('of two that take steps in any order, each fails or holds exactly what it staged', async () => {
      await fc.assert(
        fc.asyncProperty(stepsOfOne, stepsOfOne, turns, async (mine, theirs, order) => {
          const racers = [new Racer(await table.begin(), SCHEMA, 100, 'mine'), new Racer(await rival(), SCHEMA, 200, 'theirs')];
          const plans = [[...mine], [...theirs]];
          for (const turn of [...order, ...mine.map(() => false), ...theirs.map(() => true)]) {
            const step = plans[Number(turn)].shift();
            if (step !== undefined) await racers[Number(turn)].take(step);
          }
          for (const racer of racers) await expectHonest(racer, table);
          await expectRows(await table.open(), rowsOf(1, FIRST));
        }),
        { numRuns: runs },
      );
    });

    test('of many that run at once, each fails or holds exactly what it staged', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(stepsOfOne, { minLength: 2, maxLength: 3 }), async plans => {
          await Promise.all(
            plans.map(async (plan, index) => {
              const store = index % 2 === 0 ? world.store : world.other;
              const racer = new Racer(
                await store.begin(UPSERT, table.versions, SCHEMA),
                SCHEMA,
                100 * (index + 1),
                `racer${index}`,
              );
              for (const step of plan) await racer.take(step);
              await expectHonest(racer, table);
            }),
          );
        }),
        { numRuns: runs },
      );
    });
  });
}

function withColumn(schema: TableSchema, name: string): TableSchema {
  return { ...schema, id: 2, columns: [...schema.columns, { name, path: name, type: 'string' }] };
}

/** One staging, and what it should hold. */
class Racer {
  readonly staging: TableStaging;
  readonly rows = new Map<number, TableRow>(rowsOf(1, FIRST).map(row => [row.seq, row]));
  schema: TableSchema;
  readonly #evolved: TableSchema;
  failed = false;
  #seq: number;

  constructor(staging: TableStaging, schema: TableSchema, firstSeq: number, column: string) {
    this.staging = staging;
    this.schema = schema;
    this.#seq = firstSeq;
    this.#evolved = withColumn(schema, column);
  }

  async take(step: Step): Promise<void> {
    if (!this.failed) await this.attempt(() => this.#perform(step));
  }

  async attempt<T>(run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (!isTailwaterError(error, 'TW_COMPACTION_FAILED')) throw error;
      this.failed = true;
      return undefined;
    }
  }

  async #perform(step: Step): Promise<void> {
    const seq = ++this.#seq;
    if (step === 'append') {
      await this.staging.append(written([rowOf(seq)]));
      this.rows.set(seq, rowOf(seq));
    } else if (step === 'take') {
      const victim = 1 + (seq % FIRST);
      await this.staging.takeKeys([utf8(`k${victim}`)], [100]);
      this.rows.delete(victim);
    } else if (step === 'vectors') {
      if (this.schema.dimensions !== null) await this.staging.setVectors([1 + (seq % FIRST)], new Float32Array([1, seq, 0]));
    } else if (step === 'optimize') await this.staging.optimize(EVERYTHING);
    else {
      this.schema = this.#evolved;
      await this.staging.evolve(this.schema);
    }
  }
}

/** What a compactor does before it commits: when the facts are those of its plan, the table is what it planned. */
async function expectHonest(racer: Racer, table: Table): Promise<void> {
  if (racer.failed) return;
  const facts = await racer.attempt(() => racer.staging.verify([]));
  if (facts === undefined || !isAsPlanned(facts, [...racer.rows.values()])) return;
  const version = await table.open(facts.versions, racer.schema);
  expect(sorted(await scanned(version))).toEqual(sorted(racer.rows.values()));
}

function isAsPlanned(facts: StagedFacts, rows: readonly TableRow[]): boolean {
  return facts.rowCount === rows.length && facts.rowsHash === hashOf(rows) && facts.changeCount === 0;
}
