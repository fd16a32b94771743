import { Document, type DocumentInterface } from '@langchain/core/documents';
import type { JsonObject, JsonValue } from '../../base/index.ts';
import type { AppendRecord } from '../../server/index.ts';

/** A document as the row that keeps it. */
export interface DocumentRow extends JsonObject {
  id: string;
  text: string;
  metadata: JsonObject;
}

export function recordOf(document: DocumentInterface, id: string, vector: number[] | null): AppendRecord {
  const row: DocumentRow = { id, text: document.pageContent, metadata: document.metadata as JsonObject };
  return { key: id, value: vector === null ? row : { ...row, vector } };
}

/** Also of a row that something else wrote: what is not there stays empty. */
export function documentOf(id: string, value: JsonObject): Document {
  const { text, metadata } = value;
  return new Document({
    id,
    pageContent: typeof text === 'string' ? text : '',
    metadata: typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata) ? metadata : {},
  });
}

/** A filter over metadata, as LangChain's users write it, as one over the row: fields get their place, operators stay. */
export function rowFilter(filter: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(filter).map(([name, condition]): [string, JsonValue] =>
      name.startsWith('$') ? [name, nested(condition)] : [name === 'id' ? 'id' : `metadata.${name}`, condition],
    ),
  );
}

function nested(condition: JsonValue): JsonValue {
  if (Array.isArray(condition)) return condition.map(nested);
  return typeof condition === 'object' && condition !== null ? rowFilter(condition) : condition;
}
