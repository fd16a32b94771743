import { Readable } from 'node:stream';
import { type Command, Option } from 'commander';
import { isTailwaterError, TailwaterError } from '../../base/index.ts';
import { FORMATS, ingestSource, isDocumentFile, listSources, type SourceFormat } from '../../ingest/index.ts';
import type { TailwaterApi } from '../../server/index.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { DOCUMENT_STREAM, type DocumentOptions, ingestAsDocuments } from '../ingest-documents.ts';
import { ingestProgress } from '../ingest-progress.ts';
import { printJson, printLine } from '../output.ts';
import { addStreamOptions, type StreamOptions, saysAnything, streamSettings } from '../stream-options.ts';

interface IngestOptions extends StreamOptions, CommonOptions, Pick<DocumentOptions, 'stream' | 'prefix' | 'deleteMissing'> {
  format?: SourceFormat;
}

export function addIngestCommand(program: Command, context: CliContext): void {
  const command = program
    .command('ingest')
    .description('bring a file, a folder or standard input into a stream; running it again adds nothing twice')
    .argument('<path>', 'file, folder, or - for standard input; .gz is unpacked')
    .requiredOption(
      '--stream <name>',
      'stream to write to; created when absent, for documents when all files are Markdown or text',
    )
    .addOption(new Option('--format <format>', 'what the input is (default: what its extension says)').choices(FORMATS))
    .option('--prefix <text>', 'of documents: what goes before the path of a file to make its id')
    .option('--delete-missing', 'delete documents (below the prefix) whose file is gone')
    .action((path: string, options: IngestOptions) => ingest(path, options, context));
  addCommonOptions(addStreamOptions(command), context);
  addExamples(command, [
    'ingest orders.ndjson --stream orders --key id --time created_at',
    'ingest ./docs --stream docs',
    'ingest ./docs --stream docs --delete-missing',
    'gzip -dc log.gz | tailwater ingest - --stream log --format ndjson',
  ]);
}

function ingest(path: string, options: IngestOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: true }, async ({ api }) => {
    if (await prepareStream(api, path, options)) return ingestAsDocuments(api, path, options, context);
    if (options.deleteMissing === true || options.prefix !== undefined) {
      throw new TailwaterError('TW_SETTING', {
        detail: `--delete-missing and --prefix are for documents; stream "${options.stream}" does not hold any.`,
      });
    }
    const progress = ingestProgress(context, options.json === true);
    try {
      const summary = await ingestSource(path, options.stream, api, {
        ...(options.format === undefined ? {} : { format: options.format }),
        stdin: Readable.from(context.stdin),
        onProgress: progress.update,
      });
      progress.end();
      if (options.json === true) {
        printJson(context, summary);
        return;
      }
      const { records, rejected, files, skippedFiles, rejections } = summary;
      const skipped = skippedFiles === 0 ? '' : `, ${skippedFiles} of ${files} files ingested before`;
      printLine(context, `${options.stream}: ${records} records added, ${rejected} rejected${skipped}.`);
      for (const { file, line, code, message } of rejections) context.stderr.write(`${file}:${line}: ${code}: ${message}\n`);
      if (rejected > rejections.length)
        context.stderr.write(`… and ${rejected - rejections.length} more in ${options.stream}.dlq\n`);
    } finally {
      progress.end();
    }
  });
}

/**
 * Creates the stream as the options say; without any, an absent one gets what suits the input, and one that exists is used as it is. Says whether
 * it holds documents.
 */
async function prepareStream(api: TailwaterApi, path: string, options: IngestOptions): Promise<boolean> {
  if (saysAnything(options)) {
    await api.createStream(options.stream, streamSettings(options));
    return false;
  }
  const files = path === '-' || options.format !== undefined ? null : await listSources(path, null);
  const isProse = files !== null && files.length > 0 && files.every(isDocumentFile);
  const found = await api.getStream(options.stream).catch(error => {
    if (!isTailwaterError(error, 'TW_STREAM_NOT_FOUND')) throw error;
    return api.createStream(options.stream, isProse ? DOCUMENT_STREAM : streamSettings(options));
  });
  if (found.definition.documents === undefined) return false;
  if (files !== null && (files.length === 0 || files.some(isDocumentFile))) return true;
  throw new TailwaterError('TW_SETTING', {
    detail: `Stream "${options.stream}" holds documents: it takes Markdown and text files, and nothing else.`,
  });
}
