import { TailwaterError } from '../base/index.ts';

/** The error code Node's file system gave, or an empty string. */
export function fileErrorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** What a failed write means to the caller, when it is certain that nothing was written. */
export function storageError(error: unknown, detail: string): TailwaterError {
  if (error instanceof TailwaterError) return error;
  const code = fileErrorCode(error);
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new TailwaterError(full ? 'TW_STORAGE_FULL' : 'TW_STORAGE_UNAVAILABLE', {
    detail: code === '' ? detail : `${detail} (${code})`,
    cause: error,
  });
}

export function damaged(detail: string, data?: Record<string, unknown>): TailwaterError {
  return new TailwaterError('TW_DATA_DAMAGED', data === undefined ? { detail } : { detail, data });
}

/** J6: the floor only passes what a checkpoint holds. */
export function floorNeedsCheckpoint(to: number, newest: number): TailwaterError {
  return new TailwaterError('TW_INTERNAL', {
    detail: `A floor of ${to} needs a checkpoint at ${to - 1} or above; the newest is at ${newest}.`,
  });
}
