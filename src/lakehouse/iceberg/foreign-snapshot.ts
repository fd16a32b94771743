import { isTailwaterError, TailwaterError } from '../../base/index.ts';
import { decodeContainer } from './avro-container.ts';
import type { TableFiles } from './table-files.ts';

/** A file of a snapshot that another engine made. */
export interface ForeignFile {
  /** 0: data, 1: position deletes, 2: equality deletes. */
  content: number;
  /** In the table's folder, with slashes. */
  name: string;
  format: string;
}

/** What a snapshot says that another engine made. */
export interface ForeignSnapshot {
  /** Those that are live in it. */
  files: ForeignFile[];
  /** Its manifest list and manifests, in the table's folder. */
  manifests: string[];
}

/** What is read of a snapshot at most: whoever may commit could name anything. */
export interface ForeignLimits {
  /** Of a manifest list or manifest. */
  bytes: number;
  /** Of a block of it, decompressed. */
  blockBytes: number;
  /** In the manifest list, and in all manifests together. */
  entries: number;
}

export const FOREIGN_LIMITS: ForeignLimits = { bytes: 64 * 1024 * 1024, blockBytes: 128 * 1024 * 1024, entries: 200_000 };

interface ListRecord {
  manifest_path?: unknown;
}

interface EntryRecord {
  status?: unknown;
  data_file?: { content?: unknown; file_path?: unknown; file_format?: unknown };
}

const DELETED = 2;

/** Throws TW_BAD_REQUEST for what cannot be read, lies elsewhere, or is more than the limits allow. `folder`: the table's. */
export async function readForeignSnapshot(
  files: TableFiles,
  folder: string,
  manifestList: string,
  limits: ForeignLimits = FOREIGN_LIMITS,
): Promise<ForeignSnapshot> {
  const list = nameWithin(files, folder, manifestList);
  const listed = await recordsOf<ListRecord>(files, folder, list, limits, limits.entries);
  const manifests = listed.map(record => nameWithin(files, folder, record.manifest_path));
  if (new Set(manifests).size < manifests.length) refuse('The manifest list names a manifest twice.');
  const live: ForeignFile[] = [];
  let left = limits.entries;
  for (const manifest of manifests) {
    const entries = await recordsOf<EntryRecord>(files, folder, manifest, limits, left);
    left -= entries.length;
    for (const entry of entries) if (entry.status !== DELETED) live.push(fileOf(files, folder, entry));
  }
  return { files: live, manifests: [list, ...manifests] };
}

async function recordsOf<T>(
  files: TableFiles,
  folder: string,
  name: string,
  limits: ForeignLimits,
  records: number,
): Promise<T[]> {
  const bytes = await readWithin(files, folder, name, limits.bytes);
  try {
    return decodeContainer<T>(bytes, { records, blockBytes: limits.blockBytes }).records;
  } catch (error) {
    if (!isTailwaterError(error)) throw error;
    return refuse(`${name} cannot be read: ${error.message}`);
  }
}

/** The content of a file in the table's folder that another engine wrote. TW_BAD_REQUEST when it is not there or too large. */
export async function readWithin(files: TableFiles, folder: string, name: string, maxBytes: number): Promise<Uint8Array> {
  try {
    const content = await files.readForeign(`${folder}/${name}`, maxBytes);
    return content ?? refuse(`${name} is not there, or was replaced while it was read.`);
  } catch (error) {
    // Such as a name that no object of the deployment can have, or a checksum of its engine's that its content lacks: it is not to be taken.
    if (isTailwaterError(error) && error.code !== 'TW_DATA_DAMAGED') throw error;
    return refuse(`${name} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function fileOf(files: TableFiles, folder: string, { data_file: file }: EntryRecord): ForeignFile {
  const content = file?.content ?? 0;
  if (typeof content !== 'number' || typeof file?.file_format !== 'string')
    return refuse('A manifest has an entry without a file.');
  return { content, name: nameWithin(files, folder, file.file_path), format: file.file_format };
}

/** The name in a folder of what an address leads to; TW_BAD_REQUEST for an address of anything else. */
export function nameWithin(files: TableFiles, folder: string, address: unknown): string {
  if (typeof address !== 'string') return refuse('A manifest has an entry without an address.');
  const root = `${normalized(files.uri(folder))}/`;
  const normal = normalized(address);
  const name = normal.slice(root.length);
  const plain = name.split('/').every(part => part !== '' && part !== '.' && part !== '..');
  if (normal.startsWith(root) && plain && !/[\\\0]/.test(name)) return name;
  return refuse(`The file ${JSON.stringify(address.slice(0, 200))} is not in the folder of the table, ${root}.`);
}

/** Hadoop writes `file:/` for `file:///`, and has names of its own for S3. */
function normalized(address: string): string {
  return address.replace(/^file:\/*/, 'file:///').replace(/^s3[an]:\/\//, 's3://');
}

function refuse(detail: string): never {
  throw new TailwaterError('TW_BAD_REQUEST', { detail });
}
