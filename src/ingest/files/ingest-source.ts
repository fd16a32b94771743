import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { TailwaterError, utf8 } from '../../base/index.ts';
import type { SourceProgress } from '../appender.ts';
import type { Rejection } from '../records/input.ts';
import { readRecords, type SourceRecord } from './read-records.ts';
import { contentHashOf, listSources, type SourceFile, type SourceFormat, sourceError } from './source-file.ts';

/** A batch fits one segment, with its progress. */
const MAX_BATCH_BYTES = 1024 * 1024;
const MAX_BATCH_RECORDS = 10_000;
const MAX_REPORTED_REJECTIONS = 20;

/** Where records go: the embedded engine and the HTTP client both are one. */
export interface IngestTarget {
  appendNdjson(
    stream: string,
    body: Uint8Array,
    options: { idempotencyKey?: string; source?: SourceProgress },
  ): Promise<{ accepted: number; rejected: { index: number; code: string; message: string }[] }>;
  sourceProgress(sources: readonly string[]): Promise<SourceProgress[]>;
}

export interface IngestOptions {
  /** Overrides what the extension says; needed for standard input. */
  format?: SourceFormat;
  /** What `-` reads; default process.stdin. */
  stdin?: Readable;
  onProgress?(progress: IngestProgress): void;
}

export interface IngestProgress {
  /** The file being read. */
  file: string;
  filesDone: number;
  files: number;
  /** Of the files as they are on disk; 0 when unknown (standard input). */
  bytesDone: number;
  bytesTotal: number;
  records: number;
  rejected: number;
}

export interface IngestSummary extends IngestProgress {
  /** Files that had been ingested before, unchanged. */
  skippedFiles: number;
  /** The first few rejections, with the place in the source. */
  rejections: { file: string; line: number; code: string; message: string }[];
}

/**
 * Ingests a file, a folder or standard input (`-`) into a stream. Progress is kept with the rows, so running it again, or after a crash at any
 * moment, adds nothing twice; a file is known by its absolute path, and one whose content changed is read from its start. Standard input cannot be resumed. Throws TW_SOURCE.
 */
export async function ingestSource(
  path: string,
  stream: string,
  target: IngestTarget,
  options: IngestOptions = {},
): Promise<IngestSummary> {
  const run = new IngestRun(stream, target, options);
  if (path === '-') {
    if (!options.format) throw new TailwaterError('TW_SOURCE', { detail: 'Standard input has no extension: name its format.' });
    await run.standardInput(options.stdin ?? process.stdin, options.format);
  } else {
    await run.files(await listSources(path, options.format ?? null));
  }
  return run.summary;
}

class IngestRun {
  readonly #stream: string;
  readonly #target: IngestTarget;
  readonly #options: IngestOptions;
  readonly summary: IngestSummary = {
    file: '',
    filesDone: 0,
    files: 0,
    bytesDone: 0,
    bytesTotal: 0,
    records: 0,
    rejected: 0,
    skippedFiles: 0,
    rejections: [],
  };

  constructor(stream: string, target: IngestTarget, options: IngestOptions) {
    this.#stream = stream;
    this.#target = target;
    this.#options = options;
  }

  async files(files: SourceFile[]): Promise<void> {
    this.summary.files = files.length;
    this.summary.bytesTotal = files.reduce((sum, file) => sum + file.bytes, 0);
    for (const file of files) await this.#file(file);
  }

  async standardInput(input: Readable, format: SourceFormat): Promise<void> {
    this.summary.files = 1;
    this.summary.file = '-';
    await this.#send(readRecords(input, { name: '-', format, gzip: false }), null, 0);
    this.summary.filesDone = 1;
    this.#report();
  }

  async #file(file: SourceFile): Promise<void> {
    this.summary.file = file.name;
    const source = `${this.#stream}:${file.identity}`;
    const contentHash = await contentHashOf(file.path);
    const [known] = await this.#target.sourceProgress([source]);
    const same = known?.contentHash === contentHash;
    if (same && known.done) {
      this.summary.skippedFiles++;
      this.summary.bytesDone += file.bytes;
    } else {
      const progress = { source, contentHash, position: 0, done: false };
      await this.#read(file, progress, same ? known.position : 0);
    }
    this.summary.filesDone++;
    this.#report();
  }

  async #read(file: SourceFile, progress: SourceProgress, skip: number): Promise<void> {
    const input = createReadStream(file.path);
    const before = this.summary.bytesDone;
    input.on('data', () => {
      this.summary.bytesDone = before + input.bytesRead;
    });
    try {
      await this.#send(readRecords(input, file), progress, skip);
    } catch (error) {
      throw sourceError(file.path, error);
    } finally {
      input.destroy();
    }
    this.summary.bytesDone = before + file.bytes;
  }

  /** `progress` null: nothing is remembered. The last batch, be it empty, says that the source is done. */
  async #send(records: AsyncIterable<SourceRecord>, progress: SourceProgress | null, skip: number): Promise<void> {
    let batch: SourceRecord[] = [];
    let bytes = 0;
    let position = 0;
    for await (const record of records) {
      if (position++ < skip) continue;
      const full = bytes + record.json.length > MAX_BATCH_BYTES || batch.length === MAX_BATCH_RECORDS;
      // Sending nothing would be another request under the key of the batch before, which ended at the same position.
      if (full && batch.length > 0) {
        await this.#flush(batch, progress && { ...progress, position: position - 1 });
        batch = [];
        bytes = 0;
      }
      // A view into a read buffer would keep all of it.
      batch.push(typeof record.json === 'string' ? record : { ...record, json: Uint8Array.from(record.json) });
      bytes += record.json.length;
    }
    if (batch.length > 0 || progress !== null) await this.#flush(batch, progress && { ...progress, position, done: true });
  }

  async #flush(batch: SourceRecord[], progress: SourceProgress | null): Promise<void> {
    const newline = utf8('\n');
    const body = Buffer.concat(batch.flatMap(({ json }) => [typeof json === 'string' ? utf8(json) : json, newline]));
    const options = progress === null ? {} : { source: progress, idempotencyKey: keyOf(progress) };
    const answer = await this.#target.appendNdjson(this.#stream, body, options);
    this.summary.records += answer.accepted;
    this.summary.rejected += answer.rejected.length;
    this.#remember(batch, answer.rejected);
    this.#report();
  }

  #remember(batch: SourceRecord[], rejected: readonly (Pick<Rejection, 'index'> & { code: string; message: string })[]): void {
    for (const { index, code, message } of rejected) {
      if (this.summary.rejections.length >= MAX_REPORTED_REJECTIONS) return;
      this.summary.rejections.push({ file: this.summary.file, line: batch[index].line, code, message });
    }
  }

  #report(): void {
    this.#options.onProgress?.({ ...this.summary });
  }
}

/** A retry of the same batch is recognised even when its answer was lost. */
function keyOf({ source, contentHash, position, done }: SourceProgress): string {
  const name = createHash('sha256').update(source).digest('hex').slice(0, 32);
  return `ingest:${contentHash.slice(0, 32)}:${position}:${done ? 'done' : 'part'}:${name}`;
}
