import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { TailwaterError } from '../../../base/index.ts';
import type { DocumentInput } from '../../../ingest/index.ts';
import type { App, HttpContext } from '../context.ts';
import {
  DeleteDocumentAnswerSchema,
  DeleteDocumentQuery,
  DocumentAnswerSchema,
  DocumentBody,
  DocumentPageSchema,
  DocumentParams,
  GetDocumentQuery,
  ListDocumentsQuery,
  PutDocumentAnswerSchema,
  PutDocumentQuery,
  TextDocument,
} from '../document-schemas.ts';
import { parseJson } from '../parse-json.ts';
import { readBody } from '../read-body.ts';
import { StreamParams } from '../schemas.ts';
import { answers, consistencyOf, sendWithToken } from './route-parts.ts';

const TEXT_TYPES = ['text/plain', 'text/markdown'];

/** In a scope of their own: nowhere else is a plain text a body. */
export function addDocumentRoutes(app: App, context: HttpContext): void {
  app.register(async scope => {
    const { admission, settings } = context;
    const limits = { admission, maxBodyBytes: settings.maxBodyBytes };
    scope.addContentTypeParser(TEXT_TYPES, (request: FastifyRequest, payload: IncomingMessage) =>
      readBody(payload, request, limits),
    );
    addWrites(scope as App, context);
    addReads(scope as App, context);
  });
}

function addWrites(app: App, { engine }: HttpContext): void {
  app.put(
    '/v1/streams/:stream/documents/:document',
    {
      preValidation: readDocumentBody,
      schema: {
        summary: 'Write or replace a document: it is cut into chunks, which are searched',
        params: DocumentParams,
        querystring: PutDocumentQuery,
        body: {
          content: {
            'application/json': { schema: DocumentBody },
            ...Object.fromEntries(TEXT_TYPES.map(type => [type, { schema: TextDocument }])),
          },
        },
        response: answers(PutDocumentAnswerSchema),
      },
    },
    async (request, reply) => {
      const { stream, document } = request.params;
      const { ifVersion, title, url, chunkTokens, overlapTokens } = request.query;
      const chunking = {
        ...(chunkTokens === undefined ? {} : { chunkTokens }),
        ...(overlapTokens === undefined ? {} : { overlapTokens }),
      };
      const input = {
        ...(title === undefined ? {} : { title }),
        ...(url === undefined ? {} : { url }),
        ...(Object.keys(chunking).length === 0 ? {} : { chunking }),
        ...(request.body as DocumentInput),
      };
      const answer = await engine.documents.put(stream, document, input, ifVersion === undefined ? {} : { ifVersion });
      return sendWithToken(reply, JSON.stringify(answer), answer.token);
    },
  );
  app.delete(
    '/v1/streams/:stream/documents/:document',
    {
      schema: {
        summary: 'Delete a document with all its chunks',
        params: DocumentParams,
        querystring: DeleteDocumentQuery,
        response: answers(DeleteDocumentAnswerSchema),
      },
    },
    async (request, reply) => {
      const { stream, document } = request.params;
      const answer = await engine.documents.remove(stream, document, request.query);
      return sendWithToken(reply, JSON.stringify(answer), answer.token);
    },
  );
}

function addReads(app: App, { engine }: HttpContext): void {
  app.get(
    '/v1/streams/:stream/documents/:document',
    {
      schema: {
        summary: 'Read a document, with the places of its chunks',
        params: DocumentParams,
        querystring: GetDocumentQuery,
        response: answers(DocumentAnswerSchema),
      },
    },
    async (request, reply) => {
      const { stream, document } = request.params;
      const answer = await engine.documents.get(stream, document, consistencyOf(request.query, request.headers));
      return sendWithToken(reply, JSON.stringify(answer), answer.token);
    },
  );
  app.get(
    '/v1/streams/:stream/documents',
    {
      schema: {
        summary: 'List documents, those changed longest ago first',
        params: StreamParams,
        querystring: ListDocumentsQuery,
        response: answers(DocumentPageSchema),
      },
    },
    async (request, reply) => {
      const { limit, after, ...consistencyQuery } = request.query;
      const consistency = consistencyOf(consistencyQuery, request.headers);
      const answer = await engine.documents.list(request.params.stream, {
        ...(limit === undefined ? {} : { limit }),
        ...(after === undefined ? {} : { after }),
        ...(consistency === undefined ? {} : { consistency }),
      });
      return sendWithToken(reply, JSON.stringify(answer), answer.token);
    },
  );
}

/** A preValidation hook: whatever came as the document it is. A text without a byte is a document too. */
async function readDocumentBody(request: FastifyRequest): Promise<void> {
  const type = request.headers['content-type']?.toLowerCase() ?? '';
  const [essence] = type.split(';', 1);
  if (essence.trim() === 'application/json') {
    request.body = Buffer.isBuffer(request.body) ? parseJson(request.body) : undefined;
    return;
  }
  const charset = /;\s*charset="?([^";\s]+)/.exec(type)?.[1] ?? 'utf-8';
  if (!TEXT_TYPES.includes(essence.trim()) || !['utf-8', 'utf8', 'us-ascii'].includes(charset)) {
    throw new TailwaterError('TW_UNSUPPORTED_MEDIA_TYPE', {
      detail: `A document comes as application/json, text/plain or text/markdown in UTF-8, not as "${type.slice(0, 100)}".`,
    });
  }
  const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  if (!isUtf8(bytes)) throw new TailwaterError('TW_BAD_REQUEST', { detail: 'The text of the document is not valid UTF-8.' });
  request.body = { [essence.trim() === 'text/markdown' ? 'markdown' : 'text']: bytes.toString('utf8') };
}
