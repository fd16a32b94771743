import { Type } from '@fastify/type-provider-typebox';
import { checkedNamespace, has, namespaceOf, textMapAt, textsAt } from '../../../lakehouse/index.ts';
import type { App, HttpContext } from '../context.ts';
import { ANSWERS, AnyBody, bodyOf, NamespaceParams, NO_CONTENT, parseCatalogBody, sendExact } from './catalog-parts.ts';

export function addNamespaceRoutes(app: App, { engine }: HttpContext): void {
  const { iceberg } = engine;
  app.get(
    '/v1/namespaces',
    {
      schema: {
        summary: 'Iceberg catalog: list namespaces',
        querystring: Type.Object({ parent: Type.Optional(Type.String()) }),
        response: ANSWERS,
      },
    },
    async (request, reply) => {
      const { parent } = request.query;
      return sendExact(reply, { namespaces: await iceberg.namespaces(parent ? namespaceOf(parent) : null) });
    },
  );
  app.post(
    '/v1/namespaces',
    {
      preValidation: parseCatalogBody,
      schema: { summary: 'Iceberg catalog: create a namespace', body: AnyBody, response: ANSWERS },
    },
    async (request, reply) => {
      const body = bodyOf(request);
      const namespace = checkedNamespace(textsAt(body, 'namespace'));
      const properties = has(body, 'properties') ? textMapAt(body, 'properties') : {};
      await iceberg.createNamespace(namespace, properties);
      return sendExact(reply, { namespace, properties });
    },
  );
  app.head(
    '/v1/namespaces/:namespace',
    { schema: { summary: 'Iceberg catalog: whether a namespace exists', params: NamespaceParams, response: NO_CONTENT } },
    async (request, reply) => {
      await iceberg.namespace(namespaceOf(request.params.namespace));
      return reply.code(204).send(null);
    },
  );
  app.get(
    '/v1/namespaces/:namespace',
    { schema: { summary: 'Iceberg catalog: describe a namespace', params: NamespaceParams, response: ANSWERS } },
    async (request, reply) => {
      const namespace = namespaceOf(request.params.namespace);
      return sendExact(reply, { namespace, properties: await iceberg.namespace(namespace) });
    },
  );
  app.delete(
    '/v1/namespaces/:namespace',
    { schema: { summary: 'Iceberg catalog: drop an empty namespace', params: NamespaceParams, response: NO_CONTENT } },
    async (request, reply) => {
      await iceberg.dropNamespace(namespaceOf(request.params.namespace));
      return reply.code(204).send(null);
    },
  );
  app.post(
    '/v1/namespaces/:namespace/properties',
    {
      preValidation: parseCatalogBody,
      schema: { summary: 'Iceberg catalog: change properties', params: NamespaceParams, body: AnyBody, response: ANSWERS },
    },
    async (request, reply) => {
      const body = bodyOf(request);
      const removals = has(body, 'removals') ? textsAt(body, 'removals') : [];
      const updates = has(body, 'updates') ? textMapAt(body, 'updates') : {};
      return sendExact(reply, await iceberg.changeProperties(namespaceOf(request.params.namespace), { removals, updates }));
    },
  );
}
