import { TailwaterError } from '../base/index.ts';

/**
 * What a node does. `ingest`: takes writes. `retrieve`: answers reads. `work`: compacts and collects. Every node follows the log.
 */
export const ROLES = ['ingest', 'retrieve', 'work'] as const;
export type Role = (typeof ROLES)[number];

/** Throws TW_ROLE unless the node has the role. */
export function requireRole(roles: readonly Role[], role: Role): void {
  if (roles.includes(role)) return;
  throw new TailwaterError('TW_ROLE', {
    detail: `This node has the roles ${roles.join(', ')}; the request needs ${role}.`,
    data: { role, roles: [...roles] },
  });
}
