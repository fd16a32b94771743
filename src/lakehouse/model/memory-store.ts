import { type Random, seededRandom, TailwaterError } from '../../base/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import type { DatasetKind } from '../columns/arrow-schema.ts';
import type { Dataset, Datasets } from '../datasets/dataset.ts';
import { DatasetStaging } from '../datasets/staging.ts';
import type { TableStaging, TableStore, TableVersion, TableVersions } from '../table-store.ts';
import type { TableSchema } from '../table-types.ts';
import { contentOf, emptyContent, MemoryDataset, type VersionedDataset } from './memory-dataset.ts';
import { MemoryVersion } from './memory-version.ts';

const MIN_VECTOR_INDEX_ROWS = 50;

/** The table store in memory, with LanceDB's traps (design C8): the reference, and what the simulation runs on. One seed, one run. */
export class MemoryTableStore implements TableStore {
  readonly #datasets = new Map<string, VersionedDataset>();
  readonly #random: Random;

  constructor(options: { random?: Random } = {}) {
    this.#random = options.random ?? seededRandom(1);
  }

  begin(definition: StreamDefinition, base: TableVersions | null, schema: TableSchema): Promise<TableStaging> {
    return DatasetStaging.begin(this.#port(), definition, base, schema, { minVectorIndexRows: MIN_VECTOR_INDEX_ROWS });
  }

  async open(definition: StreamDefinition, versions: TableVersions, schema: TableSchema): Promise<TableVersion> {
    const rows = contentOf(this.#shared(definition.incarnation, 'rows'), versions.rows);
    const { changes } = versions;
    return new MemoryVersion(
      schema,
      rows,
      changes === null ? null : contentOf(this.#shared(definition.incarnation, 'changes'), changes),
    );
  }

  async prune(definition: StreamDefinition, keep: readonly TableVersions[]): Promise<void> {
    if (keep.length === 0) return;
    await this.#pruneDataset(
      definition.incarnation,
      'rows',
      keep.map(versions => versions.rows),
    );
    const changes = keep.map(versions => versions.changes).filter(version => version !== null);
    if (changes.length > 0) await this.#pruneDataset(definition.incarnation, 'changes', changes);
  }

  async drop(incarnation: string): Promise<void> {
    this.#datasets.delete(`${incarnation}/rows`);
    this.#datasets.delete(`${incarnation}/changes`);
  }

  async incarnations(): Promise<string[]> {
    return [...new Set([...this.#datasets.keys()].map(name => name.slice(0, name.lastIndexOf('/'))))];
  }

  async close(): Promise<void> {}

  stats(): Record<string, number> {
    const versions = [...this.#datasets.values()].reduce((sum, dataset) => sum + dataset.versions.size, 0);
    return { datasets: this.#datasets.size, versions };
  }

  /** As somebody else with access to the same storage would see the datasets: for tests that interfere. */
  handle(incarnation: string, kind: DatasetKind): Promise<Dataset> {
    return this.#port().open(incarnation, kind);
  }

  /** Names a version, as a tag in LanceDB does. */
  tag(incarnation: string, kind: DatasetKind, name: string, version: number): void {
    this.#shared(incarnation, kind).tags.set(name, version);
  }

  /** Like LanceDB's, a part of `optimize`, which makes versions of its own, and fails when an old version has a tag. */
  async #pruneDataset(incarnation: string, kind: DatasetKind, keep: readonly number[]): Promise<void> {
    const shared = this.#shared(incarnation, kind);
    const oldest = Math.min(...keep);
    const old = [...shared.versions.keys()].filter(version => version < oldest);
    if (old.length === 0) return;
    await new MemoryDataset(shared, this.#random).optimize();
    if ([...shared.tags.values()].some(version => version < oldest)) {
      throw new TailwaterError('TW_COMPACTION_FAILED', { detail: `A tag holds a version of the ${kind} older than ${oldest}.` });
    }
    for (const version of old) shared.versions.delete(version);
  }

  #shared(incarnation: string, kind: DatasetKind): VersionedDataset {
    const shared = this.#datasets.get(`${incarnation}/${kind}`);
    if (shared === undefined)
      throw new TailwaterError('TW_HISTORY_EXPIRED', { detail: 'The dataset of the table is no longer kept.' });
    return shared;
  }

  #port(): Datasets {
    return {
      open: async (incarnation, kind) => new MemoryDataset(this.#shared(incarnation, kind), this.#random),
      createEmpty: async (incarnation, kind, schema) => this.#createEmpty(incarnation, kind, schema),
    };
  }

  #createEmpty(incarnation: string, kind: DatasetKind, schema: TableSchema): Dataset {
    const name = `${incarnation}/${kind}`;
    const shared = this.#datasets.get(name) ?? { latest: 0, versions: new Map(), tags: new Map() };
    this.#datasets.set(name, shared);
    shared.latest++;
    shared.versions.set(shared.latest, emptyContent(schema));
    return new MemoryDataset(shared, this.#random);
  }
}
