/** A resource is a stream as its records, or as the table of its rows. */
export interface ResourceName {
  kind: 'streams' | 'tables';
  stream: string;
}

export function resourceUri(kind: ResourceName['kind'], stream: string): string {
  return `tailwater://${kind}/${encodeURIComponent(stream)}`;
}

/** Null for what is no address of ours. */
export function parseResourceUri(uri: string): ResourceName | null {
  const found = /^tailwater:\/\/(streams|tables)\/([^/?#]{1,600})$/.exec(uri);
  if (found === null) return null;
  try {
    return { kind: found[1] as ResourceName['kind'], stream: decodeURIComponent(found[2]) };
  } catch {
    return null;
  }
}
