import { crc32c, TailwaterError } from '../../base/index.ts';
import type { TableFiles } from '../iceberg/table-files.ts';
import type { TableEntry } from './catalog-document.ts';

/** What a table's entry says of its metadata file. */
export function checksumOf(bytes: Uint8Array): string {
  return crc32c(bytes).toString(16).padStart(8, '0');
}

/** The metadata file of a table, as it was written; TW_DATA_DAMAGED. */
export async function readEntryMetadata(files: TableFiles, { metadata, crc32c }: TableEntry): Promise<Uint8Array> {
  const bytes = await files.read(metadata);
  if (bytes !== null && checksumOf(bytes) === crc32c) return bytes;
  const problem = bytes === null ? 'is missing' : 'is not as it was written';
  throw new TailwaterError('TW_DATA_DAMAGED', { detail: `${metadata} ${problem}.`, data: { file: metadata } });
}
