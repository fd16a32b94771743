import { TailwaterError } from '../../base/index.ts';

const USER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;
/** A user's name, perhaps after an underscore, perhaps with the suffix of a dead-letter stream. */
const INTERNAL_NAME = /^_?[A-Za-z0-9][A-Za-z0-9._-]{0,203}$/;
const DEAD_LETTER_SUFFIX = '.dlq';

/** Throws TW_STREAM_NAME. Internal streams may start with an underscore or end in `.dlq`. */
export function checkStreamName(name: string, internal: boolean): void {
  if (internal ? INTERNAL_NAME.test(name) : USER_NAME.test(name) && !name.endsWith(DEAD_LETTER_SUFFIX)) return;
  const shown = JSON.stringify(name.length > 220 ? `${name.slice(0, 220)}…` : name);
  const detail = name.endsWith(DEAD_LETTER_SUFFIX)
    ? `${shown} ends in "${DEAD_LETTER_SUFFIX}", which is kept for dead-letter streams.`
    : `${shown} is not a stream name.`;
  throw new TailwaterError('TW_STREAM_NAME', { detail });
}

/** The stream whose rejected records this one keeps, or null. */
export function deadLetterOf(name: string): string | null {
  return name.endsWith(DEAD_LETTER_SUFFIX) ? name.slice(0, -DEAD_LETTER_SUFFIX.length) : null;
}
