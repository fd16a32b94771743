import { ingestDocuments } from '../ingest/index.ts';
import type { TailwaterApi } from '../server/index.ts';
import type { StreamSettings } from '../streams/index.ts';
import type { CliContext } from './context.ts';
import { ingestProgress } from './ingest-progress.ts';
import { printJson, printLine } from './output.ts';

/** What a folder of prose becomes when nobody says how: documents that are found by word and by meaning. */
export const DOCUMENT_STREAM: StreamSettings = {
  kind: 'upsert',
  documents: {},
  search: { fields: ['title', 'heading', 'text'] },
  embed: { fields: ['title', 'heading', 'text'] },
};

export interface DocumentOptions {
  stream: string;
  prefix?: string;
  deleteMissing?: boolean;
  json?: boolean;
}

export async function ingestAsDocuments(
  api: TailwaterApi,
  path: string,
  options: DocumentOptions,
  context: CliContext,
): Promise<void> {
  const { stream, prefix, deleteMissing = false, json = false } = options;
  const progress = ingestProgress(context, json);
  try {
    const summary = await ingestDocuments(path, stream, api, {
      deleteMissing,
      ...(prefix === undefined ? {} : { prefix }),
      onProgress: progress.update,
    });
    progress.end();
    if (json) {
      printJson(context, summary);
      return;
    }
    const { documents, unchanged, deleted, rejected, chunks } = summary;
    const counts = [
      `${documents} documents written (${chunks.added} chunks added, ${chunks.kept} kept, ${chunks.removed} removed)`,
      `${unchanged} unchanged`,
      ...(deleteMissing ? [`${deleted} deleted`] : []),
      ...(rejected.length === 0 ? [] : [`${rejected.length} rejected`]),
    ];
    printLine(context, `${stream}: ${counts.join(', ')}.`);
    for (const { file, code, message } of rejected) context.stderr.write(`${file}: ${code}: ${message}\n`);
  } finally {
    progress.end();
  }
}
