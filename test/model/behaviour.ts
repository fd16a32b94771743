import { Actor, type Call, type Outcome } from './actor.ts';
import type { Contents } from './interned.ts';
import { partOf, type Request } from './objects.ts';
import type { Program } from './scope.ts';
import type { Settling } from './settled.ts';

/** A request that a process waits with. */
export interface Pending {
  request: Request;
  part: number;
  opensRead: number | null;
  label: string;
}

/** Where a process can be: what it waits with, and nothing else that could make a difference to what it does next. */
export interface Stage {
  /** The number, among the stages of its process. */
  id: number;
  /** The name of its process. */
  owner: string;
  pending: readonly Pending[];
  /** Parts of the journal that it may still write to. */
  writes: number;
  finished: boolean;
  /** Of its process. With more than one, others may act between the effect of a request and its answer. */
  clients: number;
  /** Answers that lead here from the start: one of possibly many ways. */
  way: readonly Answer[];
  steps: Map<string, Step>;
}

interface Answer {
  call: number;
  reply: string;
}

/** One answer, and all that the process does on it. */
export interface Step {
  to: Stage;
  outcomes: readonly Outcome[];
}

/**
 * What a program's process does on every sequence of replies, learned by running the real code on it. Processes share nothing but the
 * store, and their code is deterministic, so each needs to be run only once per sequence, whatever the others did meanwhile.
 */
export class Behaviour {
  readonly program: Program;
  /** How often the real code was run, from its start. */
  runs = 0;
  readonly #contents: Contents;
  readonly #settling: Settling;
  readonly #stages = new Map<string, Stage>();

  constructor(program: Program, contents: Contents, settling: Settling) {
    this.program = program;
    this.#contents = contents;
    this.#settling = settling;
  }

  get stages(): number {
    return this.#stages.size;
  }

  async start(): Promise<Step> {
    const actor = await this.#runTo([]);
    return { to: this.#stage('start', actor, []), outcomes: [...actor.outcomes] };
  }

  /** Null: not known yet; `learn` it. */
  step(from: Stage, call: number, reply: string): Step | null {
    return from.steps.get(`${call} ${reply}`) ?? null;
  }

  async learn(from: Stage, call: number, reply: string): Promise<Step> {
    const way = [...from.way, { call, reply }];
    const actor = await this.#runTo(way);
    const to = this.#stage(actor.digest ?? `${from.id} ${call} ${reply}`, actor, way);
    const step = { to, outcomes: [...actor.outcomes] };
    from.steps.set(`${call} ${reply}`, step);
    return step;
  }

  async #runTo(way: readonly Answer[]): Promise<Actor> {
    this.runs++;
    const actor = new Actor(this.program, this.#contents);
    await actor.start();
    await this.#settling.settled();
    for (const { call, reply } of way) {
      actor.answer(call, reply);
      await this.#settling.settled();
    }
    return actor;
  }

  #stage(name: string, actor: Actor, way: readonly Answer[]): Stage {
    const pending = actor.calls.map(pendingOf);
    const known = this.#stages.get(name);
    if (known !== undefined) {
      requireSame(name, known.pending, pending);
      return known;
    }
    const stage = {
      id: this.#stages.size,
      owner: this.program.name,
      pending,
      writes: actor.writes,
      finished: actor.unfinished === 0,
      clients: this.program.clients.length,
      way,
      steps: new Map<string, Step>(),
    };
    this.#stages.set(name, stage);
    return stage;
  }
}

function pendingOf({ request, opensRead }: Call): Pending {
  return { request, part: partOf(request), opensRead, label: JSON.stringify(request) };
}

/** Ways that are taken for the same must at least ask for the same. */
function requireSame(name: string, a: readonly Pending[], b: readonly Pending[]): void {
  const labels = [a, b].map(list => list.map(({ label }) => label).join());
  if (labels[0] !== labels[1]) throw new Error(`Not the same after all (${name}): ${labels[0]} / ${labels[1]}`);
}
