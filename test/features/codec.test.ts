import { describe, expect, test } from 'vitest';
import { isTailwaterError, seededRandom } from '../../src/base/index.ts';
import { decodeViewState, encodeViewState, parseDefinition, planView, ViewState } from '../../src/features/index.ts';
import { Draw } from './draw.ts';

const OPTIONS = { upsert: true };

function stateOf(seed: number): ViewState {
  const draw = new Draw(seededRandom(seed));
  const state = new ViewState(planView(parseDefinition(JSON.parse(JSON.stringify(draw.definition())))), OPTIONS);
  for (let seq = 1; seq <= 40; seq++) state.apply(draw.event(seq, 1_767_225_600_000 + seq * 500));
  return state;
}

describe('the state of a view in a checkpoint', () => {
  test('is the same bytes after it was read back', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const state = stateOf(seed);
      const bytes = encodeViewState(state);
      expect(encodeViewState(decodeViewState(bytes, state.plan, OPTIONS)!)).toEqual(bytes);
    }
  });

  test('with any byte changed, or cut anywhere, is not used', () => {
    const state = stateOf(7);
    const bytes = encodeViewState(state);
    for (let at = 0; at < bytes.length; at += 3) {
      const changed = Uint8Array.from(bytes);
      changed[at] ^= 0x01;
      expect(usable(changed), `byte ${at}`).toBe(false);
      expect(usable(bytes.subarray(0, at)), `cut at ${at}`).toBe(false);
    }

    function usable(damaged: Uint8Array): boolean {
      try {
        return decodeViewState(damaged, state.plan, OPTIONS) !== null;
      } catch (error) {
        expect(isTailwaterError(error, 'TW_DATA_DAMAGED', 'TW_FORMAT_TOO_NEW')).toBe(true);
        return false;
      }
    }
  });

  test('of another version of the view is not used', () => {
    const state = stateOf(3);
    const other = stateOf(4);
    expect(decodeViewState(encodeViewState(state), other.plan, OPTIONS)).toBeNull();
  });
});
