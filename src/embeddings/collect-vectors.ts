import { listAll, listNames, type ObjectStore } from '../storage/index.ts';

const ROOT = 'vectors/';

/** Every stream life that has persisted vectors. */
export function vectorLives(store: ObjectStore): AsyncGenerator<string> {
  return listNames(store, ROOT);
}

/** The persisted vectors of a stream, of any model, for segments up to this one. */
export async function vectorsThrough(
  store: ObjectStore,
  incarnation: string,
  throughSegment: number,
): Promise<{ key: string; size: number }[]> {
  const found: { key: string; size: number }[] = [];
  for await (const model of listNames(store, `${ROOT}${incarnation}/`)) {
    for await (const object of listAll(store, `${ROOT}${incarnation}/${model}/`)) {
      if (segmentOf(object.key) > throughSegment) break;
      found.push(object);
    }
  }
  return found;
}

/** Deletes them. Whoever still asked for one would compute it again. */
export async function deleteVectors(
  store: ObjectStore,
  incarnation: string,
  throughSegment: number,
): Promise<{ objects: number; bytes: number }> {
  const found = await vectorsThrough(store, incarnation, throughSegment);
  if (found.length > 0) await store.delete(found.map(object => object.key));
  return { objects: found.length, bytes: found.reduce((sum, object) => sum + object.size, 0) };
}

function segmentOf(key: string): number {
  return Number(key.slice(key.lastIndexOf('/') + 1));
}
