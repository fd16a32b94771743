import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { JsonObject } from '../../src/base/index.ts';

export const REVISIONS = ['2025-11-25', '2026-07-28'] as const;
export type Revision = (typeof REVISIONS)[number];

export interface Connected extends AsyncDisposable {
  client: Client;
}

/** The SDK's own client, which speaks one revision. */
export function newClient(revision: Revision): Client {
  const mode = revision === '2025-11-25' ? ('legacy' as const) : { pin: revision };
  return new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
}

export async function connectHttp(url: string, revision: Revision, apiKey?: string): Promise<Connected> {
  const client = newClient(revision);
  const headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }));
  return { client, [Symbol.asyncDispose]: () => client.close() };
}

export interface Called {
  isError: boolean;
  texts: string[];
  structured: JsonObject;
}

export async function call(client: Client, name: string, args: Record<string, unknown> = {}): Promise<Called> {
  const result = await client.callTool({ name, arguments: args });
  const texts = result.content.map(block => (block.type === 'text' ? block.text : `(${block.type})`));
  return { isError: result.isError === true, texts, structured: (result.structuredContent ?? {}) as JsonObject };
}

/** The error that a tool answered with. */
export function errorOf({ isError, texts }: Called): { code: string; detail: string; action: string } {
  if (!isError) throw new Error(`no error: ${texts[0]}`);
  return JSON.parse(texts[0]).error;
}
