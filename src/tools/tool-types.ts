import type { JsonObject, JsonValue } from '../base/index.ts';
import type { TailwaterApi } from '../server/index.ts';

/** What tools need of the API: the embedded engine, the HTTP client and a server's own engine have it. */
export type ToolApi = Pick<
  TailwaterApi,
  | 'append'
  | 'context'
  | 'createStream'
  | 'follow'
  | 'getRow'
  | 'getStream'
  | 'getTable'
  | 'listStreams'
  | 'query'
  | 'read'
  | 'sql'
> & {
  contexts: Pick<TailwaterApi['contexts'], 'list' | 'call'>;
  features: Pick<TailwaterApi['features'], 'online' | 'service'>;
};

/** What a client may assume about a call, in the words of the Model Context Protocol. */
export interface ToolAnnotations {
  readOnlyHint: boolean;
  destructiveHint: boolean;
  idempotentHint: boolean;
  openWorldHint: boolean;
}

/** What a call found: the members of its answer, and the one list in it that may be cut into pages. */
export interface ToolAnswer {
  members: JsonObject;
  list?: { name: string; items: readonly JsonValue[] };
  /** Names the instant, for the next page; null when there is none to name. */
  asOf: string | null;
  /** Of the members: text for a prompt that keeps data in its place itself, and goes out as it is. */
  prompt?: string;
}

/** One thing that a model can do. It knows no protocol: MCP, OpenAI, LangChain and others all serve this table. */
export interface Tool {
  /** Letters, digits, dashes and underscores, at most 64. */
  name: string;
  title: string;
  /** Written for the model that chooses. */
  description: string;
  /** JSON Schema (draft 2020-12) of an object. */
  inputSchema: JsonObject;
  outputSchema: JsonObject;
  annotations: ToolAnnotations;
  /** `asOf`: the instant of the page before. Arguments match the input schema. Rejects with a TailwaterError. */
  run(api: ToolApi, args: JsonObject, asOf: string | null): Promise<ToolAnswer>;
}
