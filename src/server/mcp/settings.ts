import { TOOL_DEFAULTS } from '../../tools/index.ts';

export interface McpSettings {
  /** Of clients of 2025-11-25, at a time. At the bound, the one that was silent for longest ends. Default 256. */
  maxSessions: number;
  /** A session that asks nothing and listens to nothing for so long ends. Default 1,800,000. */
  sessionIdleMs: number;
  /** Resources that one session, or one listening request, is told of. Default 64. */
  maxSubscriptions: number;
  /** A resource is announced once in so long at most. Default 250. */
  coalesceMs: number;
  /** Of a message, and never more than of other bodies. Default 4 MiB. */
  maxMessageBytes: number;
  /** Of the text of a tool's answer and of a resource. Default 32 KiB. */
  maxResultBytes: number;
  /** Host names that requests may be for. Default: those of this machine, when the server listens there only; else any. */
  allowedHosts: readonly string[] | null;
  /** Host names of pages whose scripts may ask. Default: those of this machine. */
  allowedOrigins: readonly string[] | null;
}

export const MCP_DEFAULTS: McpSettings = {
  maxSessions: 256,
  sessionIdleMs: 30 * 60_000,
  maxSubscriptions: 64,
  coalesceMs: 250,
  maxMessageBytes: 4 * 1024 * 1024,
  maxResultBytes: TOOL_DEFAULTS.maxResultBytes,
  allowedHosts: null,
  allowedOrigins: null,
};
