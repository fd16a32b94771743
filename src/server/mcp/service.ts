import type { Clock } from '../../base/index.ts';
import type { ToolApi } from '../../tools/index.ts';
import { StreamChanges } from './changes.ts';
import type { McpService } from './mcp-face.ts';
import { createProtocolServer } from './protocol-server.ts';
import { MCP_DEFAULTS, type McpSettings } from './settings.ts';

/** Tools, resources and their changes, for any transport. */
export function createMcpService(api: ToolApi, clock: Clock, given: Partial<McpSettings>, loopback: boolean): McpService {
  const settings = { ...MCP_DEFAULTS, ...given };
  const changes = new StreamChanges(api, clock, settings.coalesceMs);
  return { create: () => createProtocolServer(api, changes, settings), changes, settings, loopback };
}
