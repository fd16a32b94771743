import type { DatasetKind } from '../columns/arrow-schema.ts';
import type { OtherFile, TableVersions } from '../table-store.ts';
import type { IcebergContext } from './iceberg-context.ts';
import { isOwnName, neededNames } from './prune.ts';
import { tableFolder } from './table-loader.ts';

/** Where Tailwater's own files are, in the folder of a dataset. */
const OWN_FOLDERS = ['data', 'metadata'];

/**
 * The files in the folders of a stream's table that Tailwater did not write and no version of `keep` names: what an engine has of a rewrite is there
 * until it is committed, and copied then. A crash after the commit, or an engine that gave up, leaves it behind.
 */
export async function otherFiles(
  context: Pick<IcebergContext, 'files' | 'loader'>,
  incarnation: string,
  keep: readonly TableVersions[],
): Promise<OtherFile[]> {
  const versions: [DatasetKind, number[]][] = [
    ['rows', keep.map(({ rows }) => rows)],
    ['changes', keep.map(({ changes }) => changes).filter(version => version !== null)],
  ];
  const found = await Promise.all(
    versions.map(([kind, kept]) => filesOf(context, tableFolder(incarnation, kind), new Set(kept))),
  );
  return found.flat();
}

async function filesOf(
  context: Pick<IcebergContext, 'files' | 'loader'>,
  folder: string,
  keep: ReadonlySet<number>,
): Promise<OtherFile[]> {
  const { files } = context;
  const others = (await files.below(folder)).filter(name => !isOwn(name));
  if (others.length === 0) return [];
  const needed = await neededNames(context, folder, keep);
  const unneeded = others.filter(name => !needed.has(name.slice(name.lastIndexOf('/') + 1)));
  const facts = unneeded.map(async each => {
    const name = `${folder}/${each}`;
    const [bytes, modifiedAtMs] = await Promise.all([files.size(name), files.modifiedAtMs(name)]);
    return { name, bytes: bytes ?? 0, modifiedAtMs };
  });
  return Promise.all(facts);
}

function isOwn(name: string): boolean {
  const [folder, file, ...deeper] = name.split('/');
  return OWN_FOLDERS.includes(folder) && file !== undefined && deeper.length === 0 && isOwnName(file);
}
