import { isTailwaterError, TailwaterError } from '../../base/index.ts';

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** True when a link or rename was refused by a rule of the file system, so that it certainly did not happen. EIO, for one, leaves it open. */
export function isRefusal(error: unknown): boolean {
  return REFUSALS.has(errnoOf(error) ?? '');
}

const FULL = new Set(['ENOSPC', 'EDQUOT']);
const REFUSALS = new Set([...FULL, 'EACCES', 'EPERM', 'EROFS', 'EMLINK', 'ENAMETOOLONG', 'ELOOP', 'ENOENT', 'ENOTDIR', 'EXDEV']);

/** The error for work that certainly did not happen: TW_STORAGE_FULL when space is what lacks, else TW_STORAGE_UNAVAILABLE. */
export function storageError(error: unknown, what: string): TailwaterError {
  if (isTailwaterError(error)) return error;
  const code = errnoOf(error);
  return new TailwaterError(FULL.has(code ?? '') ? 'TW_STORAGE_FULL' : 'TW_STORAGE_UNAVAILABLE', {
    detail: `${what}: ${error instanceof Error ? error.message : String(error)}`,
    data: code === undefined ? {} : { errno: code },
    cause: error,
  });
}
