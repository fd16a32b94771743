import { Type } from '@fastify/type-provider-typebox';
import { checkLevel, commitOf, mapAt, mapsAt, namespaceOf, textAt } from '../../../lakehouse/index.ts';
import type { App, HttpContext } from '../context.ts';
import {
  ANSWERS,
  AnyBody,
  bodyOf,
  commitAnswer,
  etagOf,
  identifierOf,
  LOAD_ANSWERS,
  loadAnswer,
  NamespaceParams,
  NO_CONTENT,
  onlyReferenced,
  parseCatalogBody,
  sendExact,
  TableParams,
  tableOf,
} from './catalog-parts.ts';

const TABLES = '/v1/namespaces/:namespace/tables';
const TABLE = `${TABLES}/:table`;

export function addTableReads(app: App, { engine }: HttpContext): void {
  const { iceberg } = engine;
  app.get(
    TABLES,
    { schema: { summary: 'Iceberg catalog: list tables', params: NamespaceParams, response: ANSWERS } },
    async (request, reply) => {
      const tables = await iceberg.tables(namespaceOf(request.params.namespace));
      return sendExact(reply, { identifiers: tables.map(({ namespace, name }) => ({ namespace: [...namespace], name })) });
    },
  );
  app.head(
    TABLE,
    { schema: { summary: 'Iceberg catalog: whether a table exists', params: TableParams, response: NO_CONTENT } },
    async (request, reply) => {
      await iceberg.locationOf(tableOf(request.params));
      return reply.code(204).send(null);
    },
  );
  app.get(
    TABLE,
    {
      schema: {
        summary: 'Iceberg catalog: load a table',
        params: TableParams,
        querystring: Type.Object({ snapshots: Type.Optional(Type.Union([Type.Literal('all'), Type.Literal('refs')])) }),
        response: LOAD_ANSWERS,
      },
    },
    async (request, reply) => {
      const table = tableOf(request.params);
      const { snapshots = 'all' } = request.query;
      const known = (request.headers['if-none-match'] ?? '').split(',').map(tag => tag.trim());
      const current = etagOf(await iceberg.locationOf(table), snapshots);
      if (known.includes(current)) return reply.code(304).header('etag', current).send(null);
      const loaded = await iceberg.load(table);
      reply.header('etag', etagOf(loaded.location!, snapshots));
      return sendExact(
        reply,
        loadAnswer(snapshots === 'refs' ? { ...loaded, metadata: onlyReferenced(loaded.metadata) } : loaded),
      );
    },
  );
  app.get(
    `${TABLE}/credentials`,
    { schema: { summary: 'Iceberg catalog: credentials of a table', params: TableParams, response: ANSWERS } },
    async (request, reply) => {
      await iceberg.locationOf(tableOf(request.params));
      return sendExact(reply, { 'storage-credentials': [] });
    },
  );
  app.post(
    `${TABLE}/metrics`,
    {
      preValidation: parseCatalogBody,
      schema: {
        summary: 'Iceberg catalog: take a report of a scan or commit',
        params: TableParams,
        body: AnyBody,
        response: NO_CONTENT,
      },
    },
    async (_request, reply) => reply.code(204).send(null),
  );
}

export function addTableWrites(app: App, { engine }: HttpContext): void {
  const { iceberg } = engine;
  app.post(
    TABLES,
    {
      preValidation: parseCatalogBody,
      schema: { summary: 'Iceberg catalog: create a table', params: NamespaceParams, body: AnyBody, response: ANSWERS },
    },
    async (request, reply) => {
      const body = bodyOf(request);
      const name = textAt(body, 'name');
      checkLevel(name, 'table');
      const table = { namespace: namespaceOf(request.params.namespace), name };
      const created = await iceberg.create(table, body, body['stage-create'] === true);
      if (created.location !== null) reply.header('etag', etagOf(created.location, 'all'));
      return sendExact(reply, loadAnswer(created));
    },
  );
  app.post(
    TABLE,
    {
      preValidation: parseCatalogBody,
      schema: { summary: 'Iceberg catalog: commit to a table', params: TableParams, body: AnyBody, response: ANSWERS },
    },
    async (request, reply) => {
      const [committed] = await iceberg.commit([{ table: tableOf(request.params), commit: commitOf(bodyOf(request)) }]);
      reply.header('etag', etagOf(committed.location!, 'all'));
      return sendExact(reply, commitAnswer(committed));
    },
  );
  app.delete(
    TABLE,
    {
      schema: {
        summary: 'Iceberg catalog: drop a table',
        params: TableParams,
        querystring: Type.Object({ purgeRequested: Type.Optional(Type.String({ pattern: '^([Tt]rue|[Ff]alse)$' })) }),
        response: NO_CONTENT,
      },
    },
    async (request, reply) => {
      await iceberg.drop(tableOf(request.params), request.query.purgeRequested?.toLowerCase() === 'true');
      return reply.code(204).send(null);
    },
  );
  app.post(
    '/v1/tables/rename',
    {
      preValidation: parseCatalogBody,
      schema: { summary: 'Iceberg catalog: rename a table', body: AnyBody, response: NO_CONTENT },
    },
    async (request, reply) => {
      const body = bodyOf(request);
      await iceberg.rename(identifierOf(mapAt(body, 'source')), identifierOf(mapAt(body, 'destination')));
      return reply.code(204).send(null);
    },
  );
  app.post(
    '/v1/transactions/commit',
    {
      preValidation: parseCatalogBody,
      schema: { summary: 'Iceberg catalog: commit to several tables at once', body: AnyBody, response: NO_CONTENT },
    },
    async (request, reply) => {
      const changes = mapsAt(bodyOf(request), 'table-changes');
      await iceberg.commit(changes.map(each => ({ table: identifierOf(mapAt(each, 'identifier')), commit: commitOf(each) })));
      return reply.code(204).send(null);
    },
  );
}
