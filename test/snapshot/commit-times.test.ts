import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CommitTimes } from '../../src/snapshot/commit-times.ts';

test('the segment of a time is told only where no segment that is not known can be it', () => {
  const added = fc.record({ skipped: fc.constantFrom(0, 0, 0, 1, 5), afterMs: fc.integer({ min: 1, max: 9 }) });
  fc.assert(
    fc.property(fc.array(added, { maxLength: 40 }), fc.integer({ min: 2, max: 50 }), fc.nat(300), (steps, maxEntries, timeMs) => {
      const times = new CommitTimes(maxEntries);
      const all: number[] = [];
      for (const { skipped, afterMs } of steps) {
        for (let each = 0; each <= skipped; each++) all.push((all.at(-1) ?? 0) + afterMs);
        times.add(all.length, all.at(-1)!);
      }
      const told = times.lastAtOrBefore(timeMs);
      const newest = all.at(-1) ?? 0;
      if (timeMs >= newest) expect(told).toBeUndefined();
      else if (told !== undefined) expect(told).toBe(all.findLastIndex(each => each <= timeMs) + 1);
      else if (steps.length > 0 && steps.every(step => step.skipped === 0) && steps.length <= maxEntries)
        expect(timeMs).toBeLessThan(all[0]);
    }),
  );
});
