import type { ServerResponse } from 'node:http';

/** Codes of JSON-RPC, and those that the streamable HTTP transport uses. */
export const JSON_RPC = {
  parseError: -32_700,
  invalidRequest: -32_600,
  badRequest: -32_000,
  sessionNotFound: -32_001,
  busy: -32_000,
  internalError: -32_603,
} as const;

export function jsonRpcError(code: number, message: string, id: string | number | null = null, data?: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code, message, ...(data === undefined ? {} : { data }) } });
}

/** Answers at the level of the transport, before a protocol server sees the request. */
export function sendJsonRpcError(response: ServerResponse, status: number, code: number, message: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, { 'content-type': 'application/json' }).end(jsonRpcError(code, message));
}

/** The id that an answer to `message` carries; null when it has none. */
export function idOf(message: unknown): string | number | null {
  if (typeof message !== 'object' || message === null) return null;
  const { id } = message as { id?: unknown };
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}
