/**
 * The error registry: every error a user can meet, with its HTTP status, what happened, and what to do.
 * A code never changes its meaning; a new situation gets a new code.
 */
export interface ErrorKind {
  status: number;
  title: string;
  action: string;
}

export const ERROR_KINDS = {
  TW_BAD_REQUEST: {
    status: 400,
    title: 'The request is not valid',
    action: 'Correct the named part of the request and send it again. Nothing was written.',
  },
  TW_MALFORMED_JSON: {
    status: 400,
    title: 'The body is not valid JSON',
    action: 'Correct the JSON at the named place. Nothing of this record was written.',
  },
  TW_UNKNOWN_FIELD: {
    status: 400,
    title: 'A filter or selection names a field that cannot exist',
    action: 'Use a field of the stream; GET /v1/streams/{s} lists them.',
  },
  TW_VECTOR_LENGTH: {
    status: 400,
    title: 'A vector has the wrong number of dimensions',
    action: 'Send a vector with the dimensions of the stream’s embedding.',
  },
  TW_BAD_TOKEN: {
    status: 400,
    title: 'A position token cannot be read',
    action: 'Send a token exactly as an earlier answer returned it.',
  },
  TW_NOT_SEARCHABLE: {
    status: 400,
    title: 'The stream does not declare what this search mode needs',
    action: 'Create the stream with `search` or `embed`, or use another mode.',
  },
  TW_NOT_UPSERT: {
    status: 400,
    title: 'The operation needs an upsert stream',
    action: 'Use a stream of kind "upsert"; append streams are read by offset.',
  },
  TW_KEY_REQUIRED: {
    status: 422,
    title: 'The record has no key',
    action: 'Give every record of this stream its key. This record was not written.',
  },
  TW_SCHEMA_MISMATCH: {
    status: 422,
    title: 'The record does not match the stream’s schema',
    action: 'Correct the record; it is kept in the dead-letter stream with this reason.',
  },
  TW_UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    title: 'The body’s type or encoding is not understood',
    action: 'Send application/json or application/x-ndjson, plain or gzip. Nothing was written.',
  },
  TW_RECORD_TOO_LARGE: {
    status: 413,
    title: 'A record is larger than the limit',
    action: 'Send smaller records, or raise maxRecordBytes. This record was not written.',
  },
  TW_BODY_TOO_LARGE: {
    status: 413,
    title: 'The request body is larger than the limit',
    action: 'Split the request. Nothing was written.',
  },
  TW_TOO_MANY_FIELDS: {
    status: 422,
    title: 'The record has too many distinct fields',
    action: 'Nest rarely used fields under one object. This record was not written.',
  },
  TW_TOO_DEEP: {
    status: 422,
    title: 'The record is nested too deeply',
    action: 'Flatten the record, or keep its deep part as a text. This record was not written.',
  },
  TW_EVENT_TIME: {
    status: 422,
    title: 'The event time is missing, unreadable or too far in the future',
    action: 'Correct the time field or its declared unit. This record was not written.',
  },
  TW_UNAUTHENTICATED: {
    status: 401,
    title: 'The server asks for a key',
    action: 'Send the header `Authorization: Bearer <key>`; the CLI takes it from TAILWATER_API_KEY. Nothing was done.',
  },
  TW_FORBIDDEN: {
    status: 403,
    title: 'The key may not do this',
    action:
      'Use a key with the scope and the streams that the detail names; whoever has scope admin makes one. Nothing was done.',
  },
  TW_API_KEY_NOT_FOUND: {
    status: 404,
    title: 'There is no API key with this id',
    action: 'GET /v1/keys lists keys by id. It may have been deleted already.',
  },
  TW_STREAM_NOT_FOUND: {
    status: 404,
    title: 'There is no such stream',
    action: 'Create it with PUT /v1/streams/{s}, or list streams with GET /v1/streams.',
  },
  TW_STREAM_EXISTS: {
    status: 409,
    title: 'A stream of this name exists with another definition',
    action: 'Use the existing definition, another name, or delete the stream first.',
  },
  TW_STREAM_NAME: {
    status: 400,
    title: 'The stream name is not valid',
    action: 'Use 1-200 letters, digits, dots, dashes and underscores, starting with a letter or digit.',
  },
  TW_NOT_FOUND: {
    status: 404,
    title: 'There is nothing at this address',
    action: 'Check the path; GET /openapi.json lists every route.',
  },
  TW_TAG_NOT_FOUND: {
    status: 404,
    title: 'There is no tag of this name',
    action: 'GET /v1/streams/{s}/tags lists the tags of a stream.',
  },
  TW_TAG_EXISTS: {
    status: 409,
    title: 'A tag of this name exists and names another instant',
    action: 'Use another name, or delete the tag first.',
  },
  TW_NOT_TAGGABLE: {
    status: 409,
    title: 'The instant is not one that a table holds exactly',
    action: 'Tag the newest instant instead, or a token that a tag, a compaction or a read of that time returned.',
  },
  TW_ROW_NOT_FOUND: {
    status: 404,
    title: 'There is no row with this key',
    action: 'Nothing to do: the key was never written or has been deleted.',
  },
  TW_OFFSET_OUT_OF_RANGE: {
    status: 416,
    title: 'The offset is beyond the head of the partition',
    action: 'Read from at most the head the problem names; it is the next offset to be written.',
  },
  TW_IDEMPOTENCY_MISMATCH: {
    status: 422,
    title: 'This Idempotency-Key was used with another body',
    action: 'Use a new key for a new request. Nothing was written.',
  },
  TW_VERSION_MISMATCH: {
    status: 409,
    title: 'It is not at the version that the request was decided on',
    action: 'Read it again and decide anew. Nothing was written.',
  },
  TW_NOT_DOCUMENTS: {
    status: 409,
    title: 'The stream does not hold documents',
    action: 'Use a stream that was created with `documents`, such as {"kind": "upsert", "documents": {}}. Nothing was written.',
  },
  TW_DOCUMENT_ID: {
    status: 400,
    title: 'The id of the document is not valid',
    action:
      'Use 1-512 characters of well-formed text without # and control characters, neither "." nor "..". Nothing was written.',
  },
  TW_DOCUMENT_NOT_FOUND: {
    status: 404,
    title: 'There is no document with this id',
    action: 'GET /v1/streams/{s}/documents lists the documents of a stream.',
  },
  TW_DOCUMENT_TOO_LARGE: {
    status: 413,
    title: 'The document is larger than one segment of the log can take',
    action: 'Split it into several documents, or cut it with less overlap and metadata. Nothing was changed.',
  },
  TW_PRODUCER_FENCED: {
    status: 409,
    title: 'A newer epoch of this producer exists',
    action: 'Stop this producer instance. Nothing was written.',
  },
  TW_OUT_OF_ORDER_SEQUENCE: {
    status: 409,
    title: 'The producer sequence leaves a gap',
    action: 'Send the missing batches first. Nothing was written.',
  },
  TW_TAIL_FULL: {
    status: 429,
    title: 'The uncompacted tail has reached its bound',
    action: 'Wait as Retry-After says while compaction catches up; nothing of this request was written.',
  },
  TW_NAMESPACE_NOT_FOUND: {
    status: 404,
    title: 'There is no such namespace',
    action: 'Create it, or list namespaces with GET /iceberg/v1/namespaces.',
  },
  TW_NAMESPACE_EXISTS: {
    status: 409,
    title: 'A namespace of this name exists',
    action: 'Use it, or another name. Nothing was changed.',
  },
  TW_NAMESPACE_NOT_EMPTY: {
    status: 409,
    title: 'The namespace is not empty',
    action: 'Drop its tables and namespaces first. Nothing was changed.',
  },
  TW_TABLE_NOT_FOUND: {
    status: 404,
    title: 'There is no such table',
    action: 'Create it, or list tables with GET /iceberg/v1/namespaces/{namespace}/tables.',
  },
  TW_TABLE_EXISTS: {
    status: 409,
    title: 'A table of this name exists',
    action: 'Use it, or another name. Nothing was changed.',
  },
  TW_TABLE_OF_STREAM: {
    status: 403,
    title: 'Tables of streams are written by Tailwater alone',
    action: 'Create, append to or delete the stream instead, or use a namespace of your own. Nothing was changed.',
  },
  TW_CATALOG_VIEW_NOT_FOUND: {
    status: 404,
    title: 'There is no such view in the catalog',
    action: 'Load the table of this name, or keep the view in a catalog of the engine’s own.',
  },
  TW_CATALOG_UNSUPPORTED: {
    status: 406,
    title: 'The catalog does not have this operation',
    action: 'Use what GET /iceberg/v1/config names under `endpoints`. Nothing was changed.',
  },
  TW_COMMIT_CONFLICT: {
    status: 409,
    title: 'The table is not as the commit requires',
    action: 'Load the table again and plan the commit anew. Nothing was changed.',
  },
  TW_CONTRADICTION: {
    status: 422,
    title: 'The request asks for two things that exclude each other',
    action: 'Ask for one of them. Nothing was changed.',
  },
  TW_BUSY: {
    status: 429,
    title: 'Too many requests are in progress',
    action: 'Wait as Retry-After says, then try again. Nothing was done.',
  },
  TW_RATE_LIMITED: {
    status: 429,
    title: 'More was sent than the rate limit allows',
    action: 'Wait as Retry-After says, then try again. Nothing was done.',
  },
  TW_OUTCOME_UNKNOWN: {
    status: 503,
    title: 'It is not known whether the write took effect',
    action: 'Send it again with the same Idempotency-Key, or read back before deciding.',
  },
  TW_STORAGE_FULL: {
    status: 507,
    title: 'The storage is full',
    action: 'Free space; acknowledged data is safe. This request was not acknowledged.',
  },
  TW_STORAGE_UNAVAILABLE: {
    status: 503,
    title: 'The storage does not answer',
    action: 'Try again later; acknowledged data is safe.',
  },
  TW_QUEUE_UNAVAILABLE: {
    status: 503,
    title: 'The queue of the deployment does not answer',
    action: 'Nothing: nodes do the work without it until Redis is back. Acknowledged data is safe.',
  },
  TW_STORE_UNSAFE: {
    status: 500,
    title: 'The object store ignores write conditions',
    action: 'Use a store that honours If-None-Match and If-Match; this one would lose data silently.',
  },
  TW_DATA_DAMAGED: {
    status: 500,
    title: 'Stored data fails its checksum',
    action: 'Restore the named object from a copy; nothing damaged is served. `tailwater inspect` shows the extent.',
  },
  TW_FORMAT_TOO_NEW: {
    status: 500,
    title: 'The data was written by a newer version',
    action: 'Upgrade Tailwater before opening this data.',
  },
  TW_FOLDER_IN_USE: {
    status: 409,
    title: 'Another process uses this data folder',
    action: 'Use the running server (its address is in the folder), or stop it first.',
  },
  TW_SHARD_STOPPED: {
    status: 503,
    title: 'The log stopped accepting writes after a failed write',
    action: 'Free space or repair the disk, then restart; acknowledged data is safe.',
  },
  TW_ROLE: {
    status: 421,
    title: 'This node does not serve such requests',
    action: 'Send it to a node that has the role the problem names. Nothing was done.',
  },
  TW_NOT_YET_VISIBLE: {
    status: 504,
    title: 'The requested position was not reached in time',
    action: 'Try again with a longer deadline; the position reached is in `data`.',
  },
  TW_HISTORY_EXPIRED: {
    status: 410,
    title: 'The requested moment is older than the kept history',
    action: 'Ask for a newer position, or keep a longer `history` on the stream.',
  },
  TW_SNAPSHOT_EXPIRED: {
    status: 410,
    title: 'The pinned snapshot has expired',
    action: 'Start again from the resume position in `data`.',
  },
  TW_SQL_INVALID: {
    status: 400,
    title: 'The SQL query is not valid',
    action: 'Correct what the detail names; DESCRIBE <stream> shows the columns of a stream.',
  },
  TW_SQL_NOT_ALLOWED: {
    status: 403,
    title: 'The SQL does more than read streams',
    action: 'Send one SELECT over streams; files, settings and other databases cannot be reached, and nothing can be written.',
  },
  TW_SQL_MEMORY: {
    status: 413,
    title: 'The query needs more memory than queries may use',
    action: 'Name fewer columns, filter more, or aggregate earlier; or raise `sql.memoryBytes` of the engine.',
  },
  TW_SQL_TOO_LARGE: {
    status: 413,
    title: 'The answer of the query is larger than the limit',
    action: 'Add LIMIT or aggregate; raise `limit` for more rows, or read a whole stream by GET /v1/streams/{s}/scan.',
  },
  TW_DEADLINE: { status: 504, title: 'The deadline passed', action: 'Try again with a longer deadlineMs.' },
  TW_EMBEDDING_FAILED: {
    status: 502,
    title: 'The embedding provider failed',
    action: 'Text search still finds the rows; check the provider and its credentials.',
  },
  TW_COMPACTION_FAILED: {
    status: 503,
    title: 'Compaction failed',
    action: 'Nothing changed: the table is as before and the rows stay in the tail. See the cause in the log.',
  },
  TW_VIEW_DEFINITION: {
    status: 400,
    title: 'The definition of a feature view is not valid',
    action: 'Correct the named part of the definition. Nothing was changed.',
  },
  TW_VIEW_NOT_FOUND: {
    status: 404,
    title: 'There is no such feature view',
    action: 'Define it with PUT /v1/features/{view}, or list views with GET /v1/features.',
  },
  TW_VIEW_CHANGED: {
    status: 409,
    title: 'A feature view of this name serves another definition',
    action: 'See what the change does with a plan, then apply it naming the version that it replaces. Nothing was changed.',
  },
  TW_SPINE: {
    status: 400,
    title: 'The rows to compute features for are not valid',
    action: 'Give every row its entity and its time. Nothing was computed.',
  },
  TW_DATASET_NOT_FOUND: {
    status: 404,
    title: 'There is no such dataset',
    action: 'List datasets with GET /v1/datasets, or save one with `saveAs` of POST /v1/features/historical.',
  },
  TW_DATASET_EXISTS: {
    status: 409,
    title: 'A dataset of this name holds other rows',
    action: 'Use another name, or delete the dataset first. The one that exists is unchanged.',
  },
  TW_CONTEXT_NOT_FOUND: {
    status: 404,
    title: 'There is no such context definition, or not this version of it',
    action: 'Define it with PUT /v1/contexts/{c}, or list definitions with GET /v1/contexts.',
  },
  TW_CONTEXT_PARAMETERS: {
    status: 400,
    title: 'The parameters do not fit the context definition',
    action: 'Send the parameters that `data.parameters` names, each as its schema says. Nothing was read.',
  },
  TW_CONTEXT_BUDGET: {
    status: 422,
    title: 'The token budget is too small',
    action: 'Give at least the tokens that `data.needed` names, or include less.',
  },
  TW_CONTEXT_LEG: {
    status: 503,
    title: 'A required leg of the context failed',
    action: 'See `data` for the leg and its own error code; or ask without `required`.',
  },
  TW_SETTING: { status: 400, title: 'A setting is not valid', action: 'Correct the named setting.' },
  TW_SOURCE: {
    status: 400,
    title: 'An input file cannot be read',
    action: 'Check the path, the format and the encoding. Earlier parts of the input are safely ingested; run again to resume.',
  },
  TW_CLOSED: {
    status: 503,
    title: 'The engine is shutting down',
    action: 'Connect to another node, or wait for the restart. Unacknowledged requests were not applied.',
  },
  TW_UNREACHABLE: {
    status: 503,
    title: 'The server does not answer',
    action: 'Check the address and that the server runs, then try again. Nothing was done.',
  },
  TW_NOT_READY: {
    status: 503,
    title: 'The node is not ready to serve',
    action: 'Correct what `data.problems` names, or wait for it to pass; /healthz shows the same.',
  },
  TW_INTERNAL: { status: 500, title: 'An internal error occurred', action: 'Report it with the log; acknowledged data is safe.' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_KINDS;
