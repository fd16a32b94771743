import { createHash } from 'node:crypto';
import {
  type Clock,
  fromUtf8,
  isTailwaterError,
  type JsonObject,
  type Random,
  randomId,
  TailwaterError,
  utf8,
} from '../../base/index.ts';
import { listAll, type ObjectStore, VersionedDocument } from '../../storage/index.ts';
import { decodeToken } from '../../streams/index.ts';
import type { HistoricalAnswer, HistoricalRequest, PinnedView } from '../engine/engine-types.ts';
import type { FeatureEngine } from '../engine/feature-engine.ts';
import type { DatasetInfo } from './dataset-types.ts';

interface StoredDataset {
  formatVersion: 1;
  info: DatasetInfo;
  pinned: PinnedView[];
  /** The object that holds the spine as JSON lines. */
  spineKey: string;
}

/** The records of a stream up to a position, and the tag that keeps them; none where there is no record. */
export interface KeptRecords {
  incarnation: string;
  /** Per partition, the highest offset. */
  heads: readonly number[];
  tag?: string;
}

/** Keeps records from maintenance and collection. */
export interface RecordKeeper {
  /** All that was acknowledged before the call. */
  keep(stream: string, tag: string): Promise<KeptRecords>;
  /** What is kept no longer, or never was, is no error. */
  release(stream: string, kept: KeptRecords): Promise<void>;
}

export interface DatasetsOptions {
  engine: FeatureEngine;
  keeper: RecordKeeper;
  store: ObjectStore;
  clock: Clock;
  random: Random;
}

/** Training rows: of exactly these records, or of all that is known now. */
export type Compute = (pinned?: readonly PinnedView[]) => Promise<HistoricalAnswer>;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;
const DOCUMENTS = 'features/datasets/';

/**
 * Training rows under a name. What is kept is the spine, the definitions and, by tags, the records up to a position, not the rows: they are computed
 * again from those records, and the hash of the first time proves that they are the same bytes.
 */
export class Datasets {
  readonly #options: DatasetsOptions;

  constructor(options: DatasetsOptions) {
    this.#options = options;
  }

  /**
   * Rows that `compute` makes from records that are kept from then on. The same rows under the same name change nothing. Throws TW_BAD_REQUEST,
   * TW_DATASET_EXISTS, and what `compute` throws.
   */
  async save(name: string, request: HistoricalRequest, compute: Compute): Promise<HistoricalAnswer> {
    checkName(name);
    const before = (await this.#document(name).read())?.value;
    if (before !== undefined) {
      const answer = await compute();
      return { ...answer, dataset: same(before, this.#describe(name, request, answer, [])) };
    }
    // A process that dies before the commit leaves its tags behind: they are listed with the others of the stream, and can be deleted.
    const pinned = await this.#keep(name, request.views);
    try {
      const answer = await compute(pinned);
      const stored = this.#describe(name, request, answer, pinned);
      await this.#options.store.put(stored.spineKey, linesOf(request.rows), { ifAbsent: true });
      // The commit: a spine without its document is nothing, and is used by the next who saves it.
      const now = await this.#document(name).update(known => (known === null ? stored : null));
      if (now !== stored) await this.#release(pinned);
      return { ...answer, dataset: now === null || now === stored ? stored.info : same(now, stored) };
    } catch (error) {
      if (!isTailwaterError(error, 'TW_OUTCOME_UNKNOWN')) await this.#release(pinned);
      throw error;
    }
  }

  async list(): Promise<DatasetInfo[]> {
    const infos: DatasetInfo[] = [];
    for await (const { key } of listAll(this.#options.store, DOCUMENTS)) {
      const stored = await this.#document(key.slice(DOCUMENTS.length)).read();
      if (stored !== null) infos.push(stored.value.info);
    }
    return infos;
  }

  /** Throws TW_DATASET_NOT_FOUND. */
  async get(name: string): Promise<DatasetInfo> {
    return (await this.#require(name)).info;
  }

  /** The rows as JSON lines, byte for byte as they were saved. Throws TW_DATASET_NOT_FOUND, and TW_HISTORY_EXPIRED when records they need are gone. */
  async rebuild(name: string): Promise<Uint8Array> {
    const { info, pinned, spineKey } = await this.#require(name);
    const spine = await this.#options.store.get(spineKey);
    if (spine === null) throw new TailwaterError('TW_DATA_DAMAGED', { detail: `The spine of dataset "${name}" is missing.` });
    const request = {
      views: info.views.map(({ view }) => view),
      rows: rowsOf(spine.bytes),
      time: info.time,
      asSeen: info.asSeen,
    };
    const bytes = linesOf((await this.#options.engine.historical(request, { pinned, proven: true })).rows);
    if (hashOf(bytes) === info.sha256) return bytes;
    throw new TailwaterError('TW_HISTORY_EXPIRED', {
      detail: `Dataset "${name}" cannot be rebuilt: ${pinned.map(({ definition }) => definition.source).join(', ')} no longer holds every record that its rows were made from.`,
    });
  }

  /** Throws TW_DATASET_NOT_FOUND. */
  async remove(name: string): Promise<void> {
    const { spineKey, pinned } = await this.#require(name);
    await this.#options.store.delete([`${DOCUMENTS}${name}`]);
    await this.#options.store.delete([spineKey]);
    await this.#release(pinned);
  }

  /** One tag for each stream, however many views it has. */
  async #keep(name: string, views: readonly string[]): Promise<PinnedView[]> {
    const { engine, keeper, random } = this.#options;
    const tag = `dataset.${name.slice(0, 80)}.${randomId(random)}`;
    const definitions = views.map(view => ({ view, definition: engine.get(view).definition }));
    const kept = new Map<string, KeptRecords>();
    for (const { definition } of definitions) {
      if (!kept.has(definition.source)) kept.set(definition.source, await keeper.keep(definition.source, tag));
    }
    return definitions.map(view => ({ ...view, ...kept.get(view.definition.source)! }));
  }

  async #release(pinned: readonly PinnedView[]): Promise<void> {
    for (const view of pinned) await this.#options.keeper.release(view.definition.source, view);
  }

  #describe(
    name: string,
    request: HistoricalRequest,
    { rows, views }: HistoricalAnswer,
    pinned: readonly PinnedView[],
  ): StoredDataset {
    const bytes = linesOf(rows);
    const spineSha256 = hashOf(linesOf(request.rows));
    return {
      formatVersion: 1,
      info: {
        name,
        createdAt: new Date(this.#options.clock.nowMs()).toISOString(),
        views: views.map(({ view, version, token }) => ({ view, version, token })),
        time: request.time ?? 'time',
        asSeen: request.asSeen ?? false,
        rows: rows.length,
        bytes: bytes.length,
        sha256: hashOf(bytes),
        spineSha256,
      },
      pinned: [...pinned],
      spineKey: `features/spines/${name}/${spineSha256}`,
    };
  }

  async #require(name: string): Promise<StoredDataset> {
    const stored = NAME.test(name) ? await this.#document(name).read() : null;
    if (stored === null) {
      throw new TailwaterError('TW_DATASET_NOT_FOUND', { detail: `There is no dataset "${name.slice(0, 220)}".` });
    }
    if (stored.value.formatVersion > 1) {
      throw new TailwaterError('TW_FORMAT_TOO_NEW', { detail: `Dataset "${name}" has format ${stored.value.formatVersion}.` });
    }
    return stored.value;
  }

  #document(name: string): VersionedDocument<StoredDataset> {
    return new VersionedDocument<StoredDataset>(this.#options.store, `${DOCUMENTS}${name}`, undefined, this.#options.random);
  }
}

/** The definitions and positions that an answer was made with. */
export function pinnedViews(engine: FeatureEngine, views: HistoricalAnswer['views']): PinnedView[] {
  return views.map(({ view, version, token }) => {
    const definition = engine.definitionOf(view, version);
    if (definition === undefined)
      throw new TailwaterError('TW_VIEW_NOT_FOUND', { detail: `View "${view}" has changed meanwhile.` });
    const { incarnation, heads } = decodeToken(token).streams[0];
    return { view, definition, incarnation, heads };
  });
}

/** Rows as JSON lines: the bytes of a dataset. */
function linesOf(rows: readonly JsonObject[]): Uint8Array {
  return utf8(rows.map(row => `${JSON.stringify(row)}\n`).join(''));
}

function rowsOf(bytes: Uint8Array): JsonObject[] {
  return fromUtf8(bytes)
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line));
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function checkName(name: string): void {
  if (NAME.test(name)) return;
  throw new TailwaterError('TW_BAD_REQUEST', {
    detail: `${JSON.stringify(name.slice(0, 220))} is no name of a dataset: 1-200 letters, digits, dots, dashes and underscores.`,
  });
}

function same({ info }: StoredDataset, { info: wanted }: StoredDataset): DatasetInfo {
  if (info.sha256 === wanted.sha256 && info.spineSha256 === wanted.spineSha256) return info;
  throw new TailwaterError('TW_DATASET_EXISTS', {
    detail: `Dataset "${info.name}" of ${info.createdAt} has ${info.rows} rows with the hash ${info.sha256.slice(0, 16)}…`,
  });
}
