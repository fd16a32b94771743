import { isTailwaterError, TailwaterError } from './errors.ts';

/** Decodes what is called `name`: damage is reported under that name, since a decoder knows only bytes. Other errors pass. */
export function namingDamage<T>(name: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!isTailwaterError(error, 'TW_DATA_DAMAGED') || error.message.includes(name)) throw error;
    throw new TailwaterError('TW_DATA_DAMAGED', {
      detail: `${name}: ${error.message}`,
      data: { ...error.data, name },
      cause: error,
    });
  }
}
