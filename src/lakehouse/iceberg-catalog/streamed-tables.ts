import { TailwaterError } from '../../base/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { StreamDefinition } from '../../streams/index.ts';
import type { DatasetKind } from '../columns/arrow-schema.ts';
import { schemaInFiles } from '../iceberg/fields.ts';
import type { TableMetadata } from '../iceberg/iceberg-types.ts';
import { nameOf } from '../iceberg/manifests.ts';
import type { TableFiles } from '../iceberg/table-files.ts';
import { metadataName, TableLoader, tableFolder } from '../iceberg/table-loader.ts';
import { TableStates } from '../states/table-states.ts';
import type { TableState } from '../table-types.ts';
import type { LoadedTable } from './own-tables.ts';
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
}

/** The tables of streams as the catalog shows them: each at the version that its newest state names (C1). */
export class StreamedTables {
  readonly #options: StreamedTablesOptions;
  readonly #loader: TableLoader;
  /** By incarnation: each remembers where its journal was, so that the next look costs one probe. */
  readonly #states = new Map<string, TableStates>();

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
    const { folder, version, location } = await this.#find(namespace, name);
    const metadata = await this.#loader.metadata(folder, version);
    const present = new Set(await this.#options.files.list(`${folder}/metadata`));
    return { metadata: metadataOf(asShown(metadata, present)), location };
  }

  async locationOf(namespace: string, name: string): Promise<string> {
    return (await this.#find(namespace, name)).location;
  }

  async #find(namespace: string, name: string): Promise<{ folder: string; version: number; location: string }> {
    const part = PARTS[namespace];
    const stream = this.#options.streams().find(each => each.name === name && isShown(each, part));
    if (stream === undefined) throw notFound(`There is no stream "${name}" with ${part} in a table of format iceberg.`);
    const state = await this.#stateOf(stream);
    const version = state === null ? null : versionOf(state, part);
    if (version === null)
      throw notFound(`Nothing of the stream "${name}" has been compacted yet: POST /v1/streams/${name}/compact.`);
    const folder = tableFolder(stream.incarnation, part);
    return { folder, version, location: this.#options.files.uri(`${folder}/metadata/${metadataName(version)}`) };
  }

  #stateOf({ incarnation }: StreamDefinition): Promise<TableState | null> {
    let states = this.#states.get(incarnation);
    if (states === undefined) {
      if (this.#states.size >= MAX_STREAMS) this.#states.clear();
      states = new TableStates(this.#options.store, incarnation);
      this.#states.set(incarnation, states);
    }
    return states.latest();
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
