import { type Random, randomUuid } from '../../base/index.ts';
import type { Id } from './exact-json.ts';
import { schemaInFiles } from './fields.ts';
import type { IcebergContext } from './iceberg-context.ts';
import type { IcebergSnapshot, ManifestEntry, ManifestFile, TableFile, TableMetadata } from './iceberg-types.ts';
import { manifestSchema } from './manifest-schemas.ts';
import { encodeManifest, encodeManifestList, type ManifestContext, manifestFile, nameOf } from './manifests.ts';
import { currentSchema, encodeMetadata, firstMetadata, withFields, withLog, withSnapshot } from './metadata.ts';
import { checksumOf } from './parquet-writer.ts';
import { partitionSummaries } from './partition-summaries.ts';
import { partitionTypes, sortFields } from './partitioning.ts';
import { snapshotSummary } from './summary.ts';
import { type DraftOutcome, specOf, type TableDraft } from './table-draft.ts';
import { type IcebergTable, metadataName, versionOfName } from './table-loader.ts';

/**
 * Writes a draft as a new version: manifests, their list, and last the metadata under the next free number. A reader can then open it, but
 * nothing says that it is the table: the table state does (C1).
 */
export async function publish(
  context: IcebergContext,
  draft: TableDraft,
  base: IcebergTable | null,
  watermark: readonly number[] | null,
): Promise<number> {
  const outcome = await draft.finish();
  await context.files.makeFolder(`${draft.folder}/metadata`);
  const names = await context.files.list(`${draft.folder}/metadata`);
  const before = tableMetadata(context, draft, base, outcome);
  const metadata = await new Publication(context, draft, base, before).snapshot(outcome, watermark, new Set(names));
  let version = Math.max(base?.version ?? 0, ...names.map(name => versionOfName(name) ?? 0)) + 1;
  for (;;) {
    const name = `${draft.folder}/metadata/${metadataName(version)}`;
    if (await context.files.create(name, encodeMetadata(metadata, name))) return version;
    version++;
  }
}

function tableMetadata(
  context: IcebergContext,
  draft: TableDraft,
  base: IcebergTable | null,
  outcome: DraftOutcome,
): TableMetadata {
  const { fields, lastColumnId } = outcome;
  const nowMs = Math.floor(context.clock.nowMs());
  if (base !== null) {
    const logged = context.files.uri(`${draft.folder}/metadata/${metadataName(base.version)}`);
    return withLog(withFields(base.metadata, fields, lastColumnId), logged, base.metadata['last-updated-ms']);
  }
  const layout = draft.layoutOf(fields);
  const location = context.files.uri(draft.folder);
  const uuid = randomUuid(context.random);
  return firstMetadata({
    uuid,
    location,
    fields,
    lastColumnId,
    spec: specOf(null, layout, fields),
    sort: sortFields(layout, fields),
    nowMs,
  });
}

/** The files of one new snapshot. */
class Publication {
  readonly #context: IcebergContext;
  readonly #draft: TableDraft;
  readonly #base: IcebergTable | null;
  readonly #metadata: TableMetadata;
  readonly #id: Id;
  readonly #sequenceNumber: number;
  #count = 0;

  constructor(context: IcebergContext, draft: TableDraft, base: IcebergTable | null, metadata: TableMetadata) {
    this.#context = context;
    this.#draft = draft;
    this.#base = base;
    this.#metadata = metadata;
    this.#id = draft.snapshot?.id ?? snapshotId(context.random);
    this.#sequenceNumber = metadata['last-sequence-number'] + 1;
  }

  async snapshot(
    outcome: DraftOutcome,
    watermark: readonly number[] | null,
    present: ReadonlySet<string>,
  ): Promise<TableMetadata> {
    const manifests = await this.#manifests(outcome);
    const parentId = this.#metadata['current-snapshot-id'];
    const list = await this.#write('list', sync => {
      const facts = { id: this.#id, parentId: parentId < 0 ? null : parentId, sequenceNumber: this.#sequenceNumber };
      return encodeManifestList({ uriOf: this.#uriOf, sync }, manifests, facts);
    });
    const removedDeletes = outcome.deletesReplaced ? (this.#base?.deletes ?? []) : [];
    const snapshot: IcebergSnapshot = {
      'snapshot-id': this.#id,
      ...(parentId < 0 ? {} : { 'parent-snapshot-id': parentId }),
      'sequence-number': this.#sequenceNumber,
      'timestamp-ms': Math.max(Math.floor(this.#context.clock.nowMs()), this.#metadata['last-updated-ms'] + 1),
      'manifest-list': this.#uriOf('metadata', list.name),
      'schema-id': this.#metadata['current-schema-id'],
      summary: {
        ...this.#draft.snapshot?.summary,
        ...snapshotSummary({
          base: { data: this.#base?.data ?? [], deletes: this.#base?.deletes ?? [] },
          added: [...outcome.added, ...outcome.addedDeletes],
          removed: [...outcome.removed, ...removedDeletes],
          watermark,
        }),
        ...(this.#draft.snapshot === null ? {} : { operation: 'replace' }),
      },
    };
    return withSnapshot(this.#metadata, snapshot, each => present.has(nameOf(each['manifest-list'])));
  }

  /** Those of the base as they are, with new ones for what was added; or all anew, when files were removed or there are too many. */
  async #manifests(outcome: DraftOutcome): Promise<ManifestFile[]> {
    const base = this.#base?.manifests ?? [];
    const many = base.length >= this.#context.settings.maxManifests;
    const removed = new Set(outcome.removed.map(file => file.name));
    const dataAnew = many || removed.size > 0;
    const deletesAnew = many || outcome.deletesReplaced;
    const data = entriesOf(
      dataAnew ? (this.#base?.data ?? []) : [],
      file => removed.has(file.name),
      this.#stamped(outcome.added),
      this.#id,
    );
    const oldDeletes = deletesAnew ? (this.#base?.deletes ?? []) : [];
    const deletes = entriesOf(oldDeletes, () => outcome.deletesReplaced, this.#stamped(outcome.addedDeletes), this.#id);
    const kept = base.filter(manifest => !(manifest.content === 0 ? dataAnew : deletesAnew));
    return [...kept, ...(await this.#manifest(0, data)), ...(await this.#manifest(1, deletes))];
  }

  async #manifest(content: 0 | 1, entries: readonly ManifestEntry[]): Promise<ManifestFile[]> {
    if (entries.length === 0) return [];
    const { fields } = currentSchema(this.#metadata);
    const spec = this.#metadata['partition-specs'][0];
    const types = partitionTypes(spec, fields);
    const schema = manifestSchema(spec.fields, types);
    const { name, length } = await this.#write(`m${++this.#count}`, sync => {
      const context: ManifestContext = {
        schema,
        tableSchema: schemaInFiles(currentSchema(this.#metadata)),
        spec,
        uriOf: this.#uriOf,
        sync,
      };
      return encodeManifest(context, content, entries);
    });
    const snapshot = { id: this.#id, sequenceNumber: this.#sequenceNumber };
    return [manifestFile(name, length, content, snapshot, entries, partitionSummaries(types, entries))];
  }

  async #write(part: string, encode: (sync: Uint8Array) => Uint8Array): Promise<{ name: string; length: number }> {
    const bytes = encode(this.#context.random.bytes(16));
    const name = `${this.#draft.prefix}-${this.#id.toString(36)}-${part}-${checksumOf(bytes)}.avro`;
    await this.#context.files.create(`${this.#draft.folder}/metadata/${name}`, bytes);
    return { name, length: bytes.length };
  }

  #stamped(files: readonly TableFile[]): TableFile[] {
    return files.map(file => ({ ...file, snapshotId: this.#id, sequenceNumber: this.#sequenceNumber }));
  }

  #uriOf = (folder: 'data' | 'metadata', name: string): string =>
    this.#context.files.uri(`${this.#draft.folder}/${folder}/${name}`);
}

function entriesOf(
  old: readonly TableFile[],
  isRemoved: (file: TableFile) => boolean,
  added: readonly TableFile[],
  snapshotId: Id,
): ManifestEntry[] {
  return [
    ...old.map(
      (file): ManifestEntry =>
        isRemoved(file) ? { status: 'deleted', file: { ...file, snapshotId } } : { status: 'existing', file },
    ),
    ...added.map((file): ManifestEntry => ({ status: 'added', file })),
  ];
}

/** Below 2^53, so that JSON holds it exactly everywhere. */
function snapshotId(random: Random): number {
  const bytes = random.bytes(6);
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0) + 1;
}
