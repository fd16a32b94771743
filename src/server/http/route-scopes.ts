import type { Scope } from '../access/access-key.ts';

/** Routes that everyone may ask: whoever balances load or supervises processes has no key. */
const OPEN = new Set(['GET /healthz', 'GET /readyz']);

/** Questions that are too long for a URL. */
const READING = new Set([
  'POST /v1/context',
  'POST /v1/contexts/:context',
  'POST /v1/features/:view/online',
  'POST /v1/features/historical',
  'POST /v1/features/online',
  'POST /v1/features/lint',
  'POST /v1/features/:view/plan',
  'POST /v1/sources/progress',
  'POST /v1/sql',
  'POST /v1/streams/:stream/query',
  'POST /v1/streams/:stream/query/live',
]);

/** What names its streams elsewhere than in its path, and is limited to those of the sender by who answers it. */
const LIMITABLE = new Set([
  'GET /v1/streams',
  'GET /v1/contexts',
  'GET /v1/contexts/:context',
  'POST /v1/context',
  'POST /v1/contexts/:context',
  'GET /v1/contexts/:context/live',
  'GET /v1/features',
  'GET /v1/features/:view',
  'POST /v1/features/:view/online',
  'POST /v1/features/historical',
  'POST /v1/features/online',
  'POST /v1/sql',
  'GET /v1/steps',
  'POST /v1/steps',
  'GET /mcp',
  'POST /mcp',
  'DELETE /mcp',
]);

/** What puts records and documents into streams that exist, and into tables of other engines. */
const WRITING = new Set([
  'POST /v1/steps',
  'POST /v1/streams/:stream/records',
  'PUT /v1/streams/:stream/documents/:document',
  'DELETE /v1/streams/:stream/documents/:document',
  'DELETE /v1/streams/:stream/rows/:key',
  'POST /iceberg/v1/namespaces/:namespace/tables/:table',
  'POST /iceberg/v1/namespaces/:namespace/tables/:table/metrics',
  'POST /iceberg/v1/transactions/commit',
]);

export function isLimitable(method: string, route: string | undefined): boolean {
  return LIMITABLE.has(`${method === 'HEAD' ? 'GET' : method} ${route}`);
}

/** What a request must be allowed to do; null: nothing. A route that nobody thought of is the administrator's. */
export function scopesOf(method: string, route: string): readonly Scope[] | null {
  const name = `${method === 'HEAD' ? 'GET' : method} ${route}`;
  if (OPEN.has(name)) return null;
  // Its tools read, and one of them writes.
  if (route === '/mcp') return ['read', 'write'];
  if (route.startsWith('/v1/keys')) return ['admin'];
  if (name.startsWith('GET ') || READING.has(name)) return ['read'];
  return WRITING.has(name) ? ['write'] : ['admin'];
}
