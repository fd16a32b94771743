import type { Scope } from './scope.ts';
import { Seen } from './seen.ts';
import { Violation } from './truth.ts';
import { type Choice, System, type World } from './world.ts';

export interface Exploration {
  scope: Scope;
  /** False when a limit or a violation ended it before everything was seen. */
  complete: boolean;
  /** Different orders of events, with their faults, that were told apart; those that commute count once. */
  interleavings: number;
  /** Distinct worlds: objects, processes, what was committed, and what clients were told. */
  worlds: number;
  /** Events, from one world to another. */
  events: number;
  /** Of the longest interleaving, in events. */
  longest: number;
  /** How often the real code of a process was run from its start. */
  codeRuns: number;
  ms: number;
  violation: { message: string; events: string[] } | null;
}

export interface Limits {
  maxWorlds?: number;
  maxMs?: number;
  /** Called now and then with what has been done so far. */
  onProgress?: (worlds: number) => void;
}

interface Frame {
  world: World;
  choices: Choice[];
  next: number;
  interleavings: number;
}

const LOOK_EVERY = 10_000;
/** Far above what any interleaving of a scope needs: beyond it, something goes round in circles. */
const MAX_EVENTS = 1000;

/** Goes through everything that the scope allows, depth first, until all is seen or an invariant is broken. */
export function explore(scope: Scope, limits: Limits, nowMs: () => number): Promise<Exploration> {
  return new Explorer(scope, limits, nowMs).run();
}

class Explorer {
  readonly #scope: Scope;
  readonly #limits: Limits;
  readonly #nowMs: () => number;
  readonly #system: System;
  readonly #seen = new Seen();
  /** From the start to the world whose events are being looked at. */
  readonly #path: Frame[] = [];
  #events = 0;
  #longest = 0;
  #interleavings = 0;

  constructor(scope: Scope, limits: Limits, nowMs: () => number) {
    this.#scope = scope;
    this.#limits = limits;
    this.#nowMs = nowMs;
    this.#system = new System(scope);
  }

  async run(): Promise<Exploration> {
    const startMs = this.#nowMs();
    const { maxWorlds = Number.POSITIVE_INFINITY, maxMs = Number.POSITIVE_INFINITY } = this.#limits;
    let complete = true;
    let violation: Exploration['violation'] = null;
    try {
      await this.#enter(await this.#system.start());
      while (this.#path.length > 0) {
        await this.#step();
        if (this.#events % LOOK_EVERY !== 0) continue;
        this.#limits.onProgress?.(this.#seen.size);
        if (this.#seen.size >= maxWorlds || this.#nowMs() - startMs >= maxMs) {
          complete = false;
          break;
        }
      }
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      complete = false;
      violation = { message: error.message, events: this.#retell() };
      // The interleaving that broke it, and those before it.
      this.#interleavings = 1 + this.#path.reduce((sum, frame) => sum + frame.interleavings, 0);
    }
    const ms = this.#nowMs() - startMs;
    const counts = { interleavings: this.#interleavings, worlds: this.#seen.size, events: this.#events, longest: this.#longest };
    return { scope: this.#scope, complete, ...counts, codeRuns: this.#system.codeRuns, ms, violation };
  }

  /** Lets the next event of the last world on the path happen, or leaves that world when none is left. */
  async #step(): Promise<void> {
    const frame = this.#path[this.#path.length - 1];
    if (frame.next === frame.choices.length) {
      this.#path.pop();
      this.#seen.set(frame.world.id, frame.world.processes, frame.interleavings);
      this.#count(frame.interleavings);
      return;
    }
    this.#events++;
    await this.#enter(await this.#system.after(frame.world, frame.choices[frame.next++]));
  }

  async #enter(world: World): Promise<void> {
    const { id, processes } = world;
    const known = this.#seen.get(id, processes);
    if (known !== undefined) return this.#count(known);
    await this.#system.check(world);
    const choices = this.#system.choices(world);
    this.#longest = Math.max(this.#longest, this.#path.length);
    if (choices.length === 0) {
      if (!this.#system.isFinished(world)) throw new Violation('Nothing can happen any more, and somebody waits.');
      this.#seen.set(id, processes, 1);
      return this.#count(1);
    }
    if (this.#path.length > MAX_EVENTS) throw new Violation('It does not come to an end.');
    this.#seen.set(id, processes, 0);
    this.#path.push({ world, choices, next: 0, interleavings: 0 });
  }

  #count(interleavings: number): void {
    const frame = this.#path.at(-1);
    if (frame === undefined) this.#interleavings = interleavings;
    else frame.interleavings += interleavings;
  }

  /** The events of the path, in words. */
  #retell(): string[] {
    return this.#path.map(({ world, choices, next }) => this.#system.describe(world, choices[next - 1]));
  }
}
