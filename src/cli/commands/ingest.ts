import { Readable } from 'node:stream';
import { type Command, Option } from 'commander';
import { isTailwaterError } from '../../base/index.ts';
import { FORMATS, ingestSource, listSources, type SourceFormat } from '../../ingest/index.ts';
import type { TailwaterApi } from '../../server/index.ts';
import type { StreamSettings } from '../../streams/index.ts';
import { addCommonOptions, addExamples } from '../common.ts';
import { withTailwater } from '../connect.ts';
import type { CliContext, CommonOptions } from '../context.ts';
import { ingestProgress } from '../ingest-progress.ts';
import { printJson, printLine } from '../output.ts';
import { addStreamOptions, type StreamOptions, saysAnything, streamSettings } from '../stream-options.ts';

interface IngestOptions extends StreamOptions, CommonOptions {
  stream: string;
  format?: SourceFormat;
}

/** What prose is cut into: sections with an id of their own, searchable by word and by meaning. */
const PROSE: StreamSettings = {
  kind: 'upsert',
  key: 'id',
  search: { fields: ['title', 'section', 'text'] },
  embed: { fields: ['title', 'section', 'text'] },
};

export function addIngestCommand(program: Command, context: CliContext): void {
  const command = program
    .command('ingest')
    .description('append a file, a folder or standard input to a stream; running it again adds nothing twice')
    .argument('<path>', 'file, folder, or - for standard input; .gz is unpacked')
    .requiredOption('--stream <name>', 'stream to append to; created when absent')
    .addOption(new Option('--format <format>', 'what the input is (default: what its extension says)').choices(FORMATS))
    .action((path: string, options: IngestOptions) => ingest(path, options, context));
  addCommonOptions(addStreamOptions(command), context);
  addExamples(command, [
    'ingest orders.ndjson --stream orders --key id --time created_at',
    'ingest ./docs --stream docs',
    'gzip -dc log.gz | tailwater ingest - --stream log --format ndjson',
  ]);
}

function ingest(path: string, options: IngestOptions, context: CliContext): Promise<void> {
  return withTailwater(options, { create: true }, async ({ api }) => {
    await prepareStream(api, path, options);
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

/** Creates the stream as the options say; without any, an absent one gets what suits the input, and one that exists is used as it is. */
async function prepareStream(api: TailwaterApi, path: string, options: IngestOptions): Promise<void> {
  if (!saysAnything(options)) {
    try {
      await api.getStream(options.stream);
      return;
    } catch (error) {
      if (!isTailwaterError(error, 'TW_STREAM_NOT_FOUND')) throw error;
    }
  }
  await api.createStream(options.stream, (await defaultsFor(path, options)) ?? streamSettings(options));
}

async function defaultsFor(path: string, options: IngestOptions): Promise<StreamSettings | null> {
  if (saysAnything(options)) return null;
  const formats = path === '-' ? [options.format] : (await listSources(path, options.format ?? null)).map(file => file.format);
  return formats.length > 0 && formats.every(format => format === 'markdown' || format === 'text') ? PROSE : null;
}
