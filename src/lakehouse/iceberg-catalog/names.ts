import { refuse } from './reading.ts';

/** A namespace has levels; as a key they are joined as the protocol joins them in paths. */
export type Namespace = readonly string[];

export interface TableName {
  namespace: Namespace;
  name: string;
}

const LEVEL_SEPARATOR = '\u001f';
const TABLE_SEPARATOR = '\u001e';
const MAX_LENGTH = 200;
/** No control characters, and nothing that means another place in a path. */
const LEVEL = /^(?!\.{1,2}$)[^\p{C}/\\]+$/u;

export function namespaceKey(namespace: Namespace): string {
  return namespace.join(LEVEL_SEPARATOR);
}

/** TW_BAD_REQUEST. */
export function namespaceOf(key: string): string[] {
  return checkedNamespace(key.split(LEVEL_SEPARATOR));
}

export function checkedNamespace(levels: string[]): string[] {
  if (levels.length === 0) refuse('A namespace has at least one level.');
  for (const level of levels) checkLevel(level, 'namespace');
  return levels;
}

export function checkLevel(name: string, what: 'namespace' | 'table'): void {
  if (LEVEL.test(name) && name.length <= MAX_LENGTH) return;
  refuse(
    `${JSON.stringify(name.slice(0, MAX_LENGTH))} is not the name of a ${what}: 1-${MAX_LENGTH} characters, none of them a slash or a control character.`,
  );
}

export function tableKey({ namespace, name }: TableName): string {
  return `${namespaceKey(namespace)}${TABLE_SEPARATOR}${name}`;
}

export function tableNameOf(key: string): TableName {
  const at = key.indexOf(TABLE_SEPARATOR);
  return { namespace: key.slice(0, at).split(LEVEL_SEPARATOR), name: key.slice(at + 1) };
}

export function shownName({ namespace, name }: TableName): string {
  return [...namespace, name].join('.');
}

/** What a folder can be called, so that people recognise the table. */
export function folderPart(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 60);
}
