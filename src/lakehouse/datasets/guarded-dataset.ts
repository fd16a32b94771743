import { asTailwaterError, isTailwaterError, TailwaterError } from '../../base/index.ts';
import type { DatasetKind } from '../columns/arrow-schema.ts';
import type { TableSchema } from '../table-types.ts';
import type { Dataset, Datasets } from './dataset.ts';

/**
 * A dataset on its way from a base version to a staged one. Begins at the first change, so that untouched datasets keep their version.
 * Every step must lead from the previous version to exactly the next; another number means that somebody else wrote (C2).
 */
export class GuardedDataset {
  readonly #datasets: Datasets;
  readonly #incarnation: string;
  readonly #kind: DatasetKind;
  #dataset: Dataset | null = null;
  #version: number;

  /** `version` 0: the dataset does not exist yet. */
  constructor(datasets: Datasets, incarnation: string, kind: DatasetKind, version: number) {
    this.#datasets = datasets;
    this.#incarnation = incarnation;
    this.#kind = kind;
    this.#version = version;
  }

  get version(): number {
    return this.#version;
  }

  /** The handle, standing on the base's content as the newest version. */
  async dataset(): Promise<Dataset> {
    this.#dataset ??= await this.#begin();
    return this.#dataset;
  }

  async create(schema: TableSchema): Promise<Dataset> {
    this.#dataset = await this.#datasets.createEmpty(this.#incarnation, this.#kind, schema);
    this.#version = await this.#dataset.version();
    return this.#dataset;
  }

  /** Runs one step that makes exactly one version. */
  async step(run: (dataset: Dataset) => Promise<void>): Promise<void> {
    const dataset = await this.dataset();
    await this.#attempt(() => run(dataset));
    await this.#expect(dataset, this.#version + 1);
  }

  /** Runs a step that makes an unknown number of versions: only the verification can tell whether somebody slipped in. */
  async freeStep(run: (dataset: Dataset) => Promise<void>): Promise<void> {
    const dataset = await this.dataset();
    await this.#attempt(() => run(dataset));
    this.#version = await dataset.version();
  }

  /** What the engine refuses of a change, a racing job may have caused: nothing is committed, and the compactor plans again. */
  async #attempt(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (isTailwaterError(error) && error.code !== 'TW_INTERNAL') throw error;
      const detail = `A change of the ${this.#kind} was refused: ${asTailwaterError(error).message}`;
      throw new TailwaterError('TW_COMPACTION_FAILED', { detail, cause: error });
    }
  }

  /** A second handle on the staged version. */
  async reopened(): Promise<Dataset> {
    const dataset = await this.#datasets.open(this.#incarnation, this.#kind);
    await dataset.checkout(this.#version);
    return dataset;
  }

  async #begin(): Promise<Dataset> {
    const dataset = await this.#datasets.open(this.#incarnation, this.#kind);
    await dataset.checkoutLatest();
    const latest = await dataset.version();
    if (latest === this.#version) return dataset;
    await dataset.checkout(this.#version);
    await dataset.restore();
    await this.#expect(dataset, latest + 1);
    return dataset;
  }

  async #expect(dataset: Dataset, version: number): Promise<void> {
    const found = await dataset.version();
    if (found !== version) {
      throw new TailwaterError('TW_COMPACTION_FAILED', {
        detail: `Version ${version} of the ${this.#kind} was expected, and ${found} came: another job changed the table meanwhile.`,
      });
    }
    this.#version = version;
  }
}
