const PRIMITIVES: ReadonlySet<unknown> = new Set(['boolean', 'int', 'long', 'float', 'double', 'bytes', 'string']);

/**
 * Whether a schema has a list of items that may take no bytes: a few bytes of a file would then say that there are any number of them.
 * Items of a type that is only named are taken for such.
 */
export function hasFreeItems(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.some(hasFreeItems);
  if (typeof schema !== 'object' || schema === null) return false;
  const { type, items, values, fields } = schema as Record<string, unknown>;
  if (type === 'array' && !takesBytes(items)) return true;
  return [type, items, values, ...(Array.isArray(fields) ? fields : [])].some(hasFreeItems);
}

function takesBytes(schema: unknown): boolean {
  if (typeof schema === 'string') return PRIMITIVES.has(schema);
  if (Array.isArray(schema)) return true;
  if (typeof schema !== 'object' || schema === null) return false;
  const { type, size, fields } = schema as Record<string, unknown>;
  if (type === 'record') return Array.isArray(fields) && fields.some(field => takesBytes((field as { type?: unknown })?.type));
  if (type === 'fixed') return Number(size) > 0;
  return type === 'array' || type === 'map' || type === 'enum' || takesBytes(type);
}
