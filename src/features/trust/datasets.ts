import { createHash } from 'node:crypto';
import { type Clock, fromUtf8, type JsonObject, type Random, TailwaterError, utf8 } from '../../base/index.ts';
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

export interface DatasetsOptions {
  engine: FeatureEngine;
  store: ObjectStore;
  clock: Clock;
  random: Random;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;
const DOCUMENTS = 'features/datasets/';

/**
 * Training rows under a name. What is kept is the spine, the definitions and the positions, not the rows: they are computed again from the records up to
 * those positions, and the hash of the first time tells whether they are the same bytes.
 */
export class Datasets {
  readonly #options: DatasetsOptions;

  constructor(options: DatasetsOptions) {
    this.#options = options;
  }

  /** The same rows again change nothing. Throws TW_BAD_REQUEST, TW_DATASET_EXISTS. */
  async save(name: string, request: HistoricalRequest, answer: HistoricalAnswer): Promise<DatasetInfo> {
    checkName(name);
    const stored = this.#describe(name, request, answer);
    const { info, spineKey } = stored;
    const before = (await this.#document(name).read())?.value;
    if (before !== undefined) return same(before, stored);
    await this.#options.store.put(spineKey, linesOf(request.rows), { ifAbsent: true });
    // The commit: a spine without its document is nothing, and is used by the next who saves it.
    const kept = await this.#document(name).update(known => (known === null ? stored : null));
    return kept === null ? info : same(kept, stored);
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
    const bytes = linesOf((await this.#options.engine.historical(request, { pinned })).rows);
    if (hashOf(bytes) === info.sha256) return bytes;
    throw new TailwaterError('TW_HISTORY_EXPIRED', {
      detail: `Dataset "${name}" cannot be rebuilt: ${pinned.map(({ definition }) => definition.source).join(', ')} no longer holds every record that its rows were made from.`,
    });
  }

  /** Throws TW_DATASET_NOT_FOUND. */
  async remove(name: string): Promise<void> {
    const { spineKey } = await this.#require(name);
    await this.#options.store.delete([`${DOCUMENTS}${name}`]);
    await this.#options.store.delete([spineKey]);
  }

  #describe(name: string, request: HistoricalRequest, { rows, views }: HistoricalAnswer): StoredDataset {
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
      pinned: pinnedViews(this.#options.engine, views),
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
