import { describe, expect, test } from 'vitest';
import { VirtualClock } from './virtual-clock.ts';

describe('VirtualClock', () => {
  test('runs due timers by due time, then by creation, and none that is not due', async () => {
    const clock = new VirtualClock(0);
    const seen: string[] = [];
    clock.after(20, () => seen.push('b'));
    clock.after(10, () => seen.push('a'));
    clock.after(20, () => seen.push('c'));
    clock.after(31, () => seen.push('late'));
    await clock.advance(30);
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(clock.nowMs()).toBe(30);
    expect(clock.pendingTimers).toBe(1);
  });

  test('a timer sees its own due time, and what it wakes runs before the next timer', async () => {
    const clock = new VirtualClock(0);
    const seen: string[] = [];
    const sleeper = async (): Promise<void> => {
      await clock.sleep(5);
      seen.push(`first at ${clock.nowMs()}`);
      await clock.sleep(1);
      seen.push(`second at ${clock.nowMs()}`);
    };
    const done = sleeper();
    clock.after(7, () => seen.push(`timer at ${clock.nowMs()}`));
    await clock.advance(100);
    await done;
    expect(seen).toEqual(['first at 5', 'second at 6', 'timer at 7']);
  });

  test('a cancelled timer never runs, and an aborted sleep rejects with the reason', async () => {
    const clock = new VirtualClock(0);
    let ran = false;
    clock
      .after(1, () => {
        ran = true;
      })
      .cancel();
    const abort = new AbortController();
    const sleeping = clock.sleep(10, abort.signal);
    abort.abort(new Error('enough'));
    await expect(sleeping).rejects.toThrow('enough');
    await expect(clock.sleep(10, abort.signal)).rejects.toThrow('enough');
    await clock.advance(20);
    expect(ran).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  test('run() lets just enough time pass, and reports a promise that nothing can settle', async () => {
    const clock = new VirtualClock(0);
    const answer = await clock.run(clock.sleep(1000).then(() => 'rested'));
    expect(answer).toBe('rested');
    expect(clock.nowMs()).toBe(1000);
    await expect(clock.run(new Promise(() => {}))).rejects.toThrow('deadlock');
  });
});
