import { type Clock, type Logger, type Random, TailwaterError } from '../../base/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import type { DatasetKind } from '../columns/arrow-schema.ts';
import { commitReplacement } from '../compact/replace.ts';
import { schemaInFiles } from '../iceberg/fields.ts';
import type { TableMetadata } from '../iceberg/iceberg-types.ts';
import { nameOf } from '../iceberg/manifests.ts';
import type { TableFiles } from '../iceberg/table-files.ts';
import { metadataName, TableLoader, tableFolder } from '../iceberg/table-loader.ts';
import { TableStates } from '../states/table-states.ts';
import type { TableStore } from '../table-store.ts';
import type { TableState } from '../table-types.ts';
import type { LoadedTable } from './own-tables.ts';
import type { TableCommit } from './plan-commit.ts';
import { planReplacement } from './plan-replacement.ts';
import { metadataOf } from './types.ts';

/** The namespaces of the tables of streams, and which part of a table each shows. */
const PARTS: Readonly<Record<string, DatasetKind>> = { tailwater: 'rows', tailwater_changes: 'changes' };

const ABOUT: Readonly<Record<DatasetKind, string>> = {
  rows: 'The tables of streams, as of their last compaction. Written by Tailwater; other engines read them.',
  changes: 'What upsert streams held before: superseded versions and deletions. Written by Tailwater; other engines read them.',
};

/** Streams whose place in their journal is remembered. */
const MAX_STREAMS = 1024;

export const STREAM_NAMESPACES: readonly string[] = Object.keys(PARTS);

export interface StreamedTablesOptions {
  streams: () => readonly StreamDefinition[];
  /** Of the table states. */
  store: ObjectStore;
  /** Of the Iceberg tables of streams. */
  files: TableFiles;
  /** Where commits of other engines are staged. */
  tables: Pick<TableStore, 'replaceFiles'>;
  clock: Clock;
  random: Random;
  logger?: Logger;
  /** Another engine's commit to the table of this stream life took effect: reads of this node may take it over before the answer. */
  onCommitted?(incarnation: string): Promise<void>;
}

/** One dataset of a stream's table at its newest version. */
interface ShownTable {
  stream: StreamDefinition;
  part: DatasetKind;
  state: TableState;
  folder: string;
  version: number;
  location: string;
}

/** The tables of streams as the catalog shows them: each at the version that its newest state names (C1). */
export class StreamedTables {
  readonly #options: StreamedTablesOptions;
  readonly #loader: TableLoader;
  /** By incarnation: each remembers where its journal was, so that the next look costs one probe. */
  readonly #states = new Map<string, TableStates>();
  /** One commit at a time: each holds a file in memory. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: StreamedTablesOptions) {
    this.#options = options;
    this.#loader = new TableLoader(options.files);
  }

  about(namespace: string): Record<string, string> {
    return { comment: ABOUT[PARTS[namespace]] };
  }

  /** Those that have been compacted into. */
  async list(namespace: string): Promise<string[]> {
    const part = PARTS[namespace];
    const streams = this.#options.streams().filter(stream => isShown(stream, part));
    const states = await Promise.all(streams.map(stream => this.#stateOf(stream)));
    return streams
      .filter((_stream, at) => states[at] !== null && versionOf(states[at], part) !== null)
      .map(stream => stream.name);
  }

  async load(namespace: string, name: string): Promise<LoadedTable> {
    return this.#loaded(await this.#find(namespace, name));
  }

  /**
   * Takes a commit of another engine that rewrites files, with the same rows. TW_COMMIT_CONFLICT for every other one; TW_BAD_REQUEST for one that
   * cannot be read; TW_OUTCOME_UNKNOWN.
   */
  replace(namespace: string, name: string, commit: TableCommit): Promise<LoadedTable> {
    const done = this.#turn.then(() => this.#replace(namespace, name, commit));
    this.#turn = done.catch(() => {});
    return done;
  }

  async #replace(namespace: string, name: string, commit: TableCommit): Promise<LoadedTable> {
    const found = await this.#find(namespace, name);
    const { metadata } = await this.#loaded(found);
    const planned = planReplacement(metadata, commit, `${namespace}.${name}`);
    const { clock, random, logger, tables } = this.#options;
    const { stream: definition, part, state } = found;
    const work = { ...{ definition, clock, random, tables }, states: this.#statesOf(definition), ...(logger && { logger }) };
    const next = await commitReplacement(work, state, { part, ...planned });
    await this.#options.onCommitted?.(definition.incarnation).catch(error => {
      logger?.error({ error: String(error) }, 'A new table state could not be opened');
    });
    return this.#loaded(this.#at(definition, part, next, versionOf(next, part)!));
  }

  async #loaded({ folder, version, location }: ShownTable): Promise<LoadedTable> {
    const metadata = await this.#loader.metadata(folder, version);
    const present = new Set(await this.#options.files.list(`${folder}/metadata`));
    return { metadata: metadataOf(asShown(metadata, present)), location };
  }

  async locationOf(namespace: string, name: string): Promise<string> {
    return (await this.#find(namespace, name)).location;
  }

  async #find(namespace: string, name: string): Promise<ShownTable> {
    const part = PARTS[namespace];
    const stream = this.#options.streams().find(each => each.name === name && isShown(each, part));
    if (stream === undefined) throw notFound(`There is no stream "${name}" with ${part} in a table of format iceberg.`);
    const state = await this.#stateOf(stream);
    const version = state === null ? null : versionOf(state, part);
    if (state === null || version === null)
      throw notFound(`Nothing of the stream "${name}" has been compacted yet: POST /v1/streams/${name}/compact.`);
    return this.#at(stream, part, state, version);
  }

  #at(stream: StreamDefinition, part: DatasetKind, state: TableState, version: number): ShownTable {
    const folder = tableFolder(stream.incarnation, part);
    const location = this.#options.files.uri(`${folder}/metadata/${metadataName(version)}`);
    return { stream, part, state, folder, version, location };
  }

  #stateOf(stream: StreamDefinition): Promise<TableState | null> {
    return this.#statesOf(stream).latest();
  }

  #statesOf({ incarnation }: StreamDefinition): TableStates {
    let states = this.#states.get(incarnation);
    if (states === undefined) {
      if (this.#states.size >= MAX_STREAMS) this.#states.clear();
      states = new TableStates(this.#options.store, incarnation);
      this.#states.set(incarnation, states);
    }
    return states;
  }
}

function isShown(stream: StreamDefinition, part: DatasetKind): boolean {
  return stream.table.format === 'iceberg' && !stream.name.startsWith('_') && (part === 'rows' || stream.kind === 'upsert');
}

function versionOf(state: TableState, part: DatasetKind): number | null {
  return part === 'rows' ? state.rowsVersion : state.changesVersion;
}

/** As it stands in its file, without the snapshots of versions that have been deleted since: an engine would find their files missing. */
function asShown(metadata: TableMetadata, present: ReadonlySet<string>): TableMetadata {
  const snapshots = metadata.snapshots.filter(snapshot => present.has(nameOf(snapshot['manifest-list'])));
  const ids = new Set(snapshots.map(snapshot => snapshot['snapshot-id']));
  const schemas = metadata.schemas.map(schemaInFiles);
  return {
    ...metadata,
    schemas,
    snapshots,
    'snapshot-log': metadata['snapshot-log'].filter(entry => ids.has(entry['snapshot-id'])),
  };
}

function notFound(detail: string): TailwaterError {
  return new TailwaterError('TW_TABLE_NOT_FOUND', { detail });
}
