import { createHash } from 'node:crypto';
import { Type } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TailwaterError } from '../../../base/index.ts';
import {
  checkedNamespace,
  checkLevel,
  exactJsonText,
  isMap,
  type Json,
  type JsonMap,
  type LoadedTable,
  type Metadata,
  metadataJson,
  namespaceOf,
  parseExactJson,
  type TableName,
  textAt,
  textsAt,
} from '../../../lakehouse/index.ts';

export const NamespaceParams = Type.Object({ namespace: Type.String() });
export const TableParams = Type.Object({ namespace: Type.String(), table: Type.String() });
export const AnyBody = Type.Object({}, { additionalProperties: true });

const ERROR_ANSWER = {
  description: 'An error of the catalog.',
  content: {
    'application/json': {
      schema: Type.Object({
        error: Type.Object({ message: Type.String(), type: Type.String(), code: Type.Integer() }),
      }),
    },
  },
};

export const ANSWERS = { 200: { description: 'Done.', ...AnyBody }, default: ERROR_ANSWER };
export const LOAD_ANSWERS = { ...ANSWERS, 304: Type.Null({ description: 'Unchanged since the ETag of If-None-Match.' }) };
export const NO_CONTENT = { 204: Type.Null({ description: 'Done.' }), default: ERROR_ANSWER };

/** A preValidation hook: the body as an object whose long integers are exact. */
export async function parseCatalogBody(request: FastifyRequest): Promise<void> {
  const body = Buffer.isBuffer(request.body) && request.body.length > 0 ? parseExactJson(request.body) : undefined;
  if (!isMap(body)) throw new TailwaterError('TW_BAD_REQUEST', { detail: 'The body must be a JSON object.' });
  request.body = body;
}

export function bodyOf(request: { body: unknown }): JsonMap {
  return request.body as JsonMap;
}

export function tableOf({ namespace, table }: { namespace: string; table: string }): TableName {
  checkLevel(table, 'table');
  return { namespace: namespaceOf(namespace), name: table };
}

/** `{namespace: [...], name}` as it stands in bodies. */
export function identifierOf(map: JsonMap): TableName {
  const name = textAt(map, 'name');
  checkLevel(name, 'table');
  return { namespace: checkedNamespace(textsAt(map, 'namespace')), name };
}

export function sendExact(reply: FastifyReply, value: Json): FastifyReply {
  return reply.header('content-type', 'application/json').send(exactJsonText(value));
}

/** Changes with the table and with how much of it was asked for. */
export function etagOf(location: string, snapshots: string): string {
  return `"${createHash('sha256').update(`${snapshots}\n${location}`).digest('hex').slice(0, 32)}"`;
}

/** Files are read where they lie, with what the reader may do: there are no credentials to hand out. */
export function loadAnswer({ metadata, location }: LoadedTable): JsonMap {
  return { ...commitAnswer({ metadata, location }), config: {}, 'storage-credentials': [] };
}

export function commitAnswer({ metadata, location }: LoadedTable): JsonMap {
  return { ...(location === null ? {} : { 'metadata-location': location }), metadata: metadataJson(metadata) };
}

/** With the snapshots that branches and tags name, and no others. */
export function onlyReferenced(metadata: Metadata): Metadata {
  const ids = new Set(Object.values(metadata.refs).map(ref => ref['snapshot-id']));
  return { ...metadata, snapshots: metadata.snapshots.filter(snapshot => ids.has(snapshot['snapshot-id'])) };
}
