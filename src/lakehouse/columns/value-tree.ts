import type { TableColumn, TableSchema } from '../table-types.ts';
import { columnSegments } from './names.ts';

/** A field of a value that is a column. */
export interface Leaf {
  kind: 'leaf';
  /** Position in `schema.columns`. */
  column: number;
  /** Among the members of its group. */
  position: number;
  type: TableColumn['type'];
  name: string;
  /** The name's bytes between its quotes; null when the name needs escapes, so that such records keep their raw bytes. */
  nameBytes: Uint8Array | null;
}

/** An object whose fields are columns: the value itself, or a declared nested object. */
export interface Group {
  kind: 'group';
  /** Numbered in order of first appearance; 0 is the value itself. Groups come only from a declared schema, so ids are stable. */
  id: number;
  position: number;
  name: string;
  nameBytes: Uint8Array | null;
  members: Member[];
  byName: Map<string, Member>;
}

export type Member = Leaf | Group;

export interface ValueTree {
  root: Group;
  groups: Group[];
  leaves: Leaf[];
  /** The groups a column is in, outermost first, without the root. */
  parents: Group[][];
}

export function valueTree(schema: TableSchema): ValueTree {
  const root = group(0, 0, '');
  const tree: ValueTree = { root, groups: [root], leaves: [], parents: [] };
  schema.columns.forEach((column, position) => {
    const segments = columnSegments(column);
    const parents: Group[] = [];
    let parent = root;
    for (const segment of segments.slice(0, -1)) {
      parent = childGroup(tree, parent, segment);
      parents.push(parent);
    }
    const name = segments.at(-1)!;
    const leaf: Leaf = {
      kind: 'leaf',
      column: position,
      position: parent.members.length,
      type: column.type,
      name,
      nameBytes: plainBytes(name),
    };
    parent.members.push(leaf);
    parent.byName.set(name, leaf);
    tree.leaves.push(leaf);
    tree.parents.push(parents);
  });
  return tree;
}

function childGroup(tree: ValueTree, parent: Group, name: string): Group {
  const known = parent.byName.get(name);
  if (known?.kind === 'group') return known;
  const child = group(tree.groups.length, parent.members.length, name);
  tree.groups.push(child);
  parent.members.push(child);
  parent.byName.set(name, child);
  return child;
}

function group(id: number, position: number, name: string): Group {
  return { kind: 'group', id, position, name, nameBytes: plainBytes(name), members: [], byName: new Map() };
}

function plainBytes(name: string): Uint8Array | null {
  return JSON.stringify(name) === `"${name}"` ? Buffer.from(name) : null;
}
