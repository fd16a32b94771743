import {
  type ListResourcesResult,
  type ListResourceTemplatesResult,
  ProtocolError,
  ProtocolErrorCode,
  type ReadResourceResult,
  ResourceNotFoundError,
} from '@modelcontextprotocol/server';
import { isTailwaterError, type JsonObject, type JsonValue } from '../../base/index.ts';
import { fittingItems, NOTICE, safeJson, summaryOf, type ToolApi } from '../../tools/index.ts';
import type { StreamInfo } from '../api.ts';
import { parseResourceUri, resourceUri } from './resource-uris.ts';

const MIME_TYPE = 'application/json';
const PAGE = 200;
const NEWEST = 20;

export const RESOURCE_TEMPLATES: ListResourceTemplatesResult = {
  resourceTemplates: [
    {
      name: 'stream',
      title: 'Stream',
      uriTemplate: 'tailwater://streams/{name}',
      description: 'A stream: its definition, its head and its newest records.',
      mimeType: MIME_TYPE,
    },
    {
      name: 'table',
      title: 'Table',
      uriTemplate: 'tailwater://tables/{name}',
      description: 'The same stream as a table: its columns, how many rows it has, and the newest of them.',
      mimeType: MIME_TYPE,
    },
  ],
};

/** Two of each stream, by name; a page has those of 200. */
export async function listResources(api: ToolApi, cursor: string | undefined): Promise<ListResourcesResult> {
  if (cursor !== undefined && !/^\d{1,9}$/.test(cursor)) {
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'The cursor is none that was returned.');
  }
  const first = Number(cursor ?? 0);
  const streams = await api.listStreams();
  const resources = streams.slice(first, first + PAGE).flatMap(({ definition: { name, kind } }) => [
    { uri: resourceUri('streams', name), name, title: `Stream ${name}`, description: `Records, ${kind}.`, mimeType: MIME_TYPE },
    { uri: resourceUri('tables', name), name, title: `Table ${name}`, description: 'Rows and columns.', mimeType: MIME_TYPE },
  ]);
  return { resources, ...(first + PAGE < streams.length ? { nextCursor: String(first + PAGE) } : {}) };
}

export async function readResource(api: ToolApi, uri: string, maxBytes: number): Promise<ReadResourceResult> {
  const resource = parseResourceUri(uri);
  if (resource === null) throw new ResourceNotFoundError(uri.slice(0, 1000));
  try {
    const info = await api.getStream(resource.stream);
    const found = resource.kind === 'streams' ? await ofStream(api, info) : await ofTable(api, info);
    return { contents: [{ uri, mimeType: MIME_TYPE, text: textOf(found, maxBytes) }] };
  } catch (error) {
    if (isTailwaterError(error, 'TW_STREAM_NOT_FOUND')) throw new ResourceNotFoundError(uri.slice(0, 1000));
    throw error;
  }
}

interface Found {
  about: JsonObject;
  newest: JsonValue[];
}

function textOf({ about, newest }: Found, maxBytes: number): string {
  const head: JsonObject = { notice: NOTICE, ...about };
  const room = maxBytes - Buffer.byteLength(safeJson(head));
  return safeJson({ ...head, newest: fittingItems(newest, room) });
}

async function ofStream(api: ToolApi, info: StreamInfo): Promise<Found> {
  const { head, earliest, definition } = info;
  const pages = await Promise.all(
    head.map((last, partition) =>
      api.read(definition.name, { partition, from: Math.max(earliest[partition], last - NEWEST + 1), limit: NEWEST }),
    ),
  );
  const records = pages.flatMap(({ records: each }) => each).sort((a, b) => (a.ingestedAt < b.ingestedAt ? 1 : -1));
  const about = { stream: summaryOf(info), earliest, head, watermark: info.watermark };
  return { about, newest: records.slice(0, NEWEST) as unknown as JsonValue[] };
}

async function ofTable(api: ToolApi, info: StreamInfo): Promise<Found> {
  const { name, table } = info.definition;
  const [{ state }, { hits }] = await Promise.all([api.getTable(name), api.query(name, { mode: 'filter', limit: NEWEST })]);
  const about = {
    table: name,
    format: table.format,
    rows: info.rows,
    watermark: info.watermark,
    lag: info.lag,
    compacted: state !== null,
    columns: info.fields.map(({ name: column, path, type }) => ({ column, path, type })),
  };
  return { about, newest: hits.map(({ id, value }) => ({ id, value })) };
}
