import type { DatasetKind } from '../columns/arrow-schema.ts';
import type { IcebergContext } from './iceberg-context.ts';
import { nameOf } from './manifests.ts';
import { currentSnapshot } from './metadata.ts';
import { tableFolder, versionOfName } from './table-loader.ts';

/**
 * Deletes the files of a dataset that no version of `keep` names and none ever will. Names of files begin with the version that their draft
 * was based on: a draft on a base older than the newest kept version has lost, whatever it still does. What is based on the newest
 * may be on its way, and stays. Versions go first, so that a reader that comes too late finds nothing rather than a part.
 */
export async function pruneDataset(
  context: Pick<IcebergContext, 'files' | 'loader'>,
  incarnation: string,
  kind: DatasetKind,
  keep: readonly number[],
): Promise<void> {
  if (keep.length === 0) return;
  const folder = tableFolder(incarnation, kind);
  const newest = Math.max(...keep);
  const kept = new Set(keep);
  const needed = await neededNames(context, folder, kept);
  const metadata = await context.files.list(`${folder}/metadata`);
  const versions = metadata.filter(name => {
    const version = versionOfName(name);
    return version !== undefined && version < newest && !kept.has(version);
  });
  const isGarbage = (name: string): boolean => versionOfName(name) === undefined && baseOf(name) < newest && !needed.has(name);
  const lists = metadata.filter(isGarbage).map(name => `${folder}/metadata/${name}`);
  const data = (await context.files.list(`${folder}/data`)).filter(isGarbage).map(name => `${folder}/data/${name}`);
  await context.files.remove(versions.map(name => `${folder}/metadata/${name}`));
  await context.files.remove([...lists, ...data]);
}

/** Those that the versions name, without their folders. */
export async function neededNames(
  context: Pick<IcebergContext, 'loader'>,
  folder: string,
  keep: ReadonlySet<number>,
): Promise<ReadonlySet<string>> {
  const needed = new Set<string>();
  for (const version of keep) {
    const table = await context.loader.load(folder, version);
    const list = currentSnapshot(table.metadata)?.['manifest-list'];
    if (list !== undefined) needed.add(nameOf(list));
    for (const { name } of [...table.manifests, ...table.data, ...table.deletes]) needed.add(name);
  }
  return needed;
}

/** Of a draft: the version that it is based on, and its random id. The id keeps UUIDs apart, some of which begin with eight digits. */
const DRAFT = /^(\d{8,})-[0-9a-z]{16}-/;
const UNFINISHED_VERSION = /^v(\d+)\.metadata\.json\.\w+\.tmp$/;

/** Whether a file is named as Tailwater names those of its drafts and versions; no other engine's is. */
export function isOwnName(name: string): boolean {
  return versionOfName(name) !== undefined || baseOf(name) < Number.POSITIVE_INFINITY;
}

/** Also of what a writer that was cut off left: it was based on a version before the one that it was about to name. */
function baseOf(name: string): number {
  const digits = DRAFT.exec(name)?.[1];
  if (digits !== undefined) return Number(digits);
  const next = UNFINISHED_VERSION.exec(name)?.[1];
  return next === undefined ? Number.POSITIVE_INFINITY : Number(next) - 1;
}
