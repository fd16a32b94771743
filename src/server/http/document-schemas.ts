import { Type } from '@fastify/type-provider-typebox';
import type { JsonObject } from '../../base/index.ts';
import { consistencyQuery, Freshness, token } from './schemas.ts';

const strict = { additionalProperties: false };
const AnyObject = Type.Unsafe<JsonObject>({ type: 'object' });
const orNull = { anyOf: [{ type: 'string' }, { type: 'null' }] };
const TextOrNull = Type.Unsafe<string | null>(orNull);

export const DocumentParams = Type.Object({
  stream: Type.String({ description: 'Name of the stream.' }),
  document: Type.String({ description: 'Id of the document, percent-encoded.' }),
});

const chunking = {
  chunkTokens: Type.Optional(Type.Integer({ description: 'Tokens of a chunk at most. Default: the stream’s.' })),
  overlapTokens: Type.Optional(Type.Integer({ description: 'Tokens that a chunk repeats of the one before it, at most.' })),
};
const ifVersion = Type.Optional(
  Type.Integer({ minimum: 0, description: 'Only when the document is at this version; 0: only when there is none.' }),
);

export const DocumentBody = Type.Object(
  {
    text: Type.Optional(Type.String({ description: 'Plain text; either this or markdown.' })),
    markdown: Type.Optional(Type.String()),
    title: Type.Optional(Type.String({ description: 'Default: the first of the highest headings.' })),
    url: Type.Optional(Type.String()),
    metadata: Type.Optional(AnyObject),
    chunking: Type.Optional(Type.Object(chunking, strict)),
  },
  strict,
);
export const TextDocument = Type.Unknown({ description: 'The text itself, in UTF-8.' });
export const PutDocumentQuery = Type.Object(
  { ifVersion, title: Type.Optional(Type.String()), url: Type.Optional(Type.String()), ...chunking },
  strict,
);
export const DeleteDocumentQuery = Type.Object({ ifVersion }, strict);
export const GetDocumentQuery = Type.Object(consistencyQuery, strict);
export const ListDocumentsQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'Default 100.' })),
    after: Type.Optional(Type.String({ description: '`next` of the page before.' })),
    ...consistencyQuery,
  },
  strict,
);

const version = Type.Integer({ description: 'Rises with every change of the document.' });

export const PutDocumentAnswerSchema = Type.Object({
  document: Type.String(),
  version,
  unchanged: Type.Boolean({ description: 'It was there already; nothing was written.' }),
  chunks: Type.Object({ total: Type.Integer(), added: Type.Integer(), kept: Type.Integer(), removed: Type.Integer() }),
  token,
});
export const DeleteDocumentAnswerSchema = Type.Object({
  document: Type.String(),
  chunks: Type.Object({ removed: Type.Integer() }),
  token,
});
const summary = {
  document: Type.String(),
  version,
  title: TextOrNull,
  url: TextOrNull,
  metadata: Type.Union([AnyObject, Type.Null()]),
  markdown: Type.Boolean(),
  contentHash: Type.String({ description: 'SHA-256 of the text as UTF-8, hexadecimal.' }),
  length: Type.Integer({ description: 'UTF-16 code units of the text.' }),
  chunking: Type.Object({ chunkTokens: Type.Integer(), overlapTokens: Type.Integer() }),
  chunkCount: Type.Integer(),
};
export const DocumentAnswerSchema = Type.Object({
  ...summary,
  text: Type.String(),
  chunks: Type.Array(
    Type.Object({ id: Type.String(), start: Type.Integer(), end: Type.Integer(), heading: Type.Array(Type.String()) }),
    { description: 'The text of each is text[start, end), in UTF-16 code units.' },
  ),
  freshness: Freshness,
  token,
});
export const DocumentPageSchema = Type.Object({
  documents: Type.Array(Type.Object(summary)),
  next: TextOrNull,
  freshness: Freshness,
  token,
});
