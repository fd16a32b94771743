import { Type } from '@fastify/type-provider-typebox';
import { answerErrors } from '../app.ts';
import type { App, HttpContext } from '../context.ts';
import { sendCatalogError } from './catalog-errors.ts';
import { ANSWERS, sendExact } from './catalog-parts.ts';
import { addNamespaceRoutes } from './namespace-routes.ts';
import { addTableReads, addTableWrites } from './table-routes.ts';
import { addUnservedRoutes } from './unserved-routes.ts';

/** What clients may call: they ask for nothing else, such as views. */
const ENDPOINTS = [
  'GET /v1/{prefix}/namespaces',
  'POST /v1/{prefix}/namespaces',
  'GET /v1/{prefix}/namespaces/{namespace}',
  'HEAD /v1/{prefix}/namespaces/{namespace}',
  'DELETE /v1/{prefix}/namespaces/{namespace}',
  'POST /v1/{prefix}/namespaces/{namespace}/properties',
  'GET /v1/{prefix}/namespaces/{namespace}/tables',
  'POST /v1/{prefix}/namespaces/{namespace}/tables',
  'GET /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'POST /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials',
  'POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics',
  'POST /v1/{prefix}/tables/rename',
  'POST /v1/{prefix}/transactions/commit',
];

/** Iceberg's REST catalog, with the error model of its own protocol. */
export function addIcebergCatalog(app: App, context: HttpContext): void {
  answerErrors(app, context, sendCatalogError);
  app.get(
    '/v1/config',
    {
      schema: {
        summary: 'Iceberg catalog: its settings and what it can do',
        querystring: Type.Object({ warehouse: Type.Optional(Type.String()) }),
        response: ANSWERS,
      },
    },
    async (_request, reply) => sendExact(reply, { defaults: {}, overrides: {}, endpoints: ENDPOINTS }),
  );
  addNamespaceRoutes(app, context);
  addTableReads(app, context);
  addTableWrites(app, context);
  addUnservedRoutes(app);
}
