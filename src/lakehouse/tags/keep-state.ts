import { isTailwaterError } from '../../base/index.ts';
import type { Pin, Pins } from '../../journal/index.ts';
import { pinStateFiles, pinTableState } from '../collect/state-pins.ts';
import type { TableStates } from '../states/table-states.ts';
import type { TableState } from '../table-types.ts';
import type { TableTags } from './table-tags.ts';
import type { TableTag } from './tag-codec.ts';

/** Longer than creating a tag may take. */
const PIN_MS = 600_000;

/**
 * Creates a tag so that the collector cannot be faster: pinned first, then the floor is read again, then the tag is written (J9). Throws
 * as `TableTags.create`, and TW_HISTORY_EXPIRED when the state is given up.
 */
export async function tagState(pins: Pins, states: TableStates, tags: TableTags, tag: TableTag): Promise<TableTag> {
  const pin = await pinState(pins, states, tags, tag.state, PIN_MS);
  try {
    return await tags.create(tag);
  } finally {
    await pin.release();
  }
}

/**
 * Pins a state, as `pinTableState`, also one that is history no more and that a tag keeps: the tag is looked for once the pin is durable, and may
 * be deleted from then on (C5). Throws TW_HISTORY_EXPIRED.
 */
export async function pinState(pins: Pins, states: TableStates, tags: TableTags, state: TableState, ttlMs: number): Promise<Pin> {
  try {
    return await pinTableState(pins, states, state, ttlMs);
  } catch (error) {
    if (!isTailwaterError(error, 'TW_HISTORY_EXPIRED')) throw error;
    const pin = await pinStateFiles(pins, state, ttlMs);
    if ((await tags.list()).some(tag => tag.state.n === state.n)) return pin;
    await pin.release();
    throw error;
  }
}
