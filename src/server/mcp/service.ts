import type { Clock } from '../../base/index.ts';
import type { ToolApi } from '../../tools/index.ts';
import type { Identity } from '../access/authenticator.ts';
import { reachableChanges, StreamChanges } from './changes.ts';
import type { McpService } from './mcp-face.ts';
import { createProtocolServer } from './protocol-server.ts';
import { MCP_DEFAULTS, type McpSettings } from './settings.ts';

/** Tools, resources and their changes, for any transport. `apiOf`: what whoever asks may do. */
export function createMcpService(
  apiOf: (identity: Identity | null) => ToolApi,
  clock: Clock,
  given: Partial<McpSettings>,
  loopback: boolean,
): McpService {
  const settings = { ...MCP_DEFAULTS, ...given };
  const changes = new StreamChanges(apiOf(null), clock, settings.coalesceMs);
  const create: McpService['create'] = identity =>
    createProtocolServer(apiOf(identity), reachableChanges(changes, identity), settings);
  return { create, changes, settings, loopback };
}
